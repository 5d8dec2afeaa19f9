// A sheet that a mouse, a finger or a pen writes on.

import {bounds, draw, fresh, STRIDE} from "./strokes.js";

const ERASER = 12;   // px around the pointer
const WIDTH = 2.2;   // px of the line
let penSeen = false; // then touch is the palm's

/** Strokes {pointer, values} on a canvas, with undo and redo.
 *
 * `changed(pad, appended)` is called after every change; `appended`: a stroke was added at the end.
 * Positions are CSS pixels from the canvas's corner at the size that it had when they were written:
 * a narrower canvas shows them smaller. */
export class Pad {
  #states = [[]];
  #at = 0;
  #live = null;
  #box = null;

  constructor(canvas, changed) {
    Object.assign(this, {canvas, changed, erasing: false, scale: 1});
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event));
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), {passive: false});
    new ResizeObserver(() => this.repaint()).observe(canvas);
  }

  get strokes() { return this.#states[this.#at]; }
  get values() { return this.strokes.map((stroke) => stroke.values); }
  get writing() { return this.#live !== null; }
  get canUndo() { return this.#at > 0; }
  get canRedo() { return this.#at < this.#states.length - 1; }

  /** Show other strokes, of which nothing is undone. */
  load(strokes) {
    [this.#states, this.#at, this.#live] = [[strokes], 0, null];
    this.repaint();
  }

  set(strokes, appended = false) {
    this.#states.splice(++this.#at, Infinity, strokes);
    if (!appended) this.repaint();
    this.changed(this, appended);
  }

  clear() { if (this.strokes.length) this.set([]); }

  step(by) {
    if (by < 0 ? !this.canUndo : !this.canRedo) return;
    this.#at += by;
    this.repaint();
    this.changed(this, false);
  }

  repaint() {
    const {canvas} = this, context = fresh(canvas);
    const right = this.strokes.length ? bounds(this.values).right : 0;
    this.scale = Math.min(1, canvas.clientWidth / (right + 2));
    context.scale(this.scale, this.scale);
    this.context = context;
    context.strokeStyle = getComputedStyle(canvas).color;
    for (const stroke of this.strokes) this.#draw(stroke);
  }

  #draw(stroke, from = 0) {
    draw(this.context, stroke.values, WIDTH, {from, pressed: stroke.pointer === "pen"});
  }

  #down(event) {
    if (event.pointerType === "pen") {
      penSeen = true;
      if (this.#live?.pointer === "touch") this.#drop();
    }
    const palm = penSeen && event.pointerType === "touch";
    if (palm || this.#live || event.button > 0 && event.button !== 5) return;
    event.preventDefault();
    if (!this.context) this.repaint();
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* already up */ }
    this.#box = this.canvas.getBoundingClientRect();
    this.#live = {
      id: event.pointerId, pointer: event.pointerType, values: [], before: this.strokes,
      erases: this.erasing || Boolean(event.buttons & 32),
    };
    this.#add([event]);
  }

  #move(event) {
    if (event.pointerId !== this.#live?.id) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.#add(events.length ? events : [event]);
  }

  #up(event) {
    const live = this.#live;
    if (event.pointerId !== live?.id) return;
    // What the system takes a finger's touch for is no writing.
    if (event.type === "pointercancel" && live.pointer === "touch") return this.#drop();
    this.#live = null;
    if (live.erases) {
      if (live.before !== this.strokes) this.changed(this, false);
    } else {
      const values = Float64Array.from(live.values);
      this.set([...this.strokes, {pointer: live.pointer, values}], true);
    }
  }

  #drop() {
    this.#live = null;
    this.repaint();
  }

  #add(events) {
    const live = this.#live, from = live.values.length / STRIDE;
    const place = (event) => [(event.clientX - this.#box.left) / this.scale,
      (event.clientY - this.#box.top) / this.scale];
    if (live.erases) return events.forEach((event) => this.#erase(...place(event)));
    for (const event of events) {
      const time = performance.timeOrigin + event.timeStamp;
      live.values.push(...place(event), time, event.pressure);
    }
    this.#draw(live, from);
  }

  #erase(x, y) {
    const hit = ({values}) => values.some((value, i) => i % STRIDE === 0 &&
      Math.hypot(value - x, values[i + 1] - y) < ERASER / this.scale);
    const left = this.strokes.filter((stroke) => !hit(stroke));
    if (left.length < this.strokes.length) {
      // One sweep of the eraser is one step to undo.
      if (this.#live.before === this.strokes) this.#states.splice(++this.#at, Infinity, left);
      else this.#states[this.#at] = left;
      this.repaint();
    }
  }
}

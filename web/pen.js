// A sheet that a mouse, a finger or a pen writes on.

import {button, distance, draw, find, fresh} from "./dom.js";
import {bounds} from "./ink.js";

const ERASER = 12; // px around the pointer
const WIDTH = 2.2; // px of the line
let penSeen = false; // if true, a touch is the palm's

/** Strokes {pointer, points} on a canvas, with undo and redo.
 *
 * `changed` is called after every change. Positions are CSS pixels from the canvas's corner at the
 * time of writing; a canvas that has become narrower shows the strokes smaller. */
export class Pad {
  #states = [[]];
  #at = 0;
  #live = null; // the stroke that is being written
  #erasing = false;
  #box;
  #context;

  /** `tools` is the selector of the element for the buttons. */
  constructor(canvas, tools, changed) {
    this.changed = () => { this.#update(); changed(); };
    Object.assign(this, {canvas, scale: 1});
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"])
      canvas.addEventListener(type, (event) => this.#up(event));
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), {passive: false});
    new ResizeObserver(() => this.#repaint()).observe(canvas);
    this.buttons = [button("Undo", () => this.step(-1)), button("Redo", () => this.step(1)),
      button("Erase", () => { this.#erasing = !this.#erasing; this.#update(); }),
      button("Clear", () => this.set([]))];
    find(tools).append(...this.buttons);
    this.#update();
  }

  get strokes() { return this.#states[this.#at]; }
  get parts() { return this.strokes.map(({points}) => points); }
  get writing() { return this.#live !== null; }

  /** Replace the strokes and the steps to undo. */
  load(strokes) {
    [this.#states, this.#at, this.#live] = [[strokes], 0, null];
    this.#repaint();
    this.#update();
  }

  set(strokes, appended = false) {
    this.#states.splice(++this.#at, Infinity, strokes);
    if (!appended) this.#repaint();
    this.changed();
  }

  step(by) {
    if (!this.#states[this.#at + by]) return;
    this.#at += by;
    this.#repaint();
    this.changed();
  }

  #update() {
    const [undo, redo, erase, clear] = this.buttons;
    [undo.disabled, redo.disabled] = [-1, 1].map((by) => !this.#states[this.#at + by]);
    [erase.ariaPressed, clear.disabled] = [this.#erasing, !this.strokes.length];
  }

  #repaint() {
    const context = this.#context = fresh(this.canvas);
    const {right} = bounds(this.strokes.length ? this.parts : [[[0, 0]]]);
    this.scale = Math.min(1, this.canvas.clientWidth / (right + 2));
    context.scale(this.scale, this.scale);
    for (const stroke of this.strokes) this.#draw(stroke);
  }

  #draw({points, pointer}, from = 0) {
    draw(this.#context, points, WIDTH, {from, pressed: pointer === "pen"});
  }

  #down(event) {
    const {pointerType: pointer, pointerId: id} = event;
    if (pointer === "pen") {
      penSeen = true;
      if (this.#live?.pointer === "touch") this.#drop();
    }
    const palm = penSeen && pointer === "touch";
    if (palm || this.#live || event.button > 0 && event.button !== 5) return;
    event.preventDefault();
    try { this.canvas.setPointerCapture(id); } catch { /* already up */ }
    this.#box = this.canvas.getBoundingClientRect();
    const erases = this.#erasing || Boolean(event.buttons & 32);
    this.#live = {id, pointer, points: [], before: this.strokes, erases};
    this.#add([event]);
  }

  #move(event) {
    if (event.pointerId !== this.#live?.id) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.#add(events.length ? events : [event]);
  }

  #up({pointerId, type}) {
    if (pointerId !== this.#live?.id) return;
    const {pointer, points, before, erases} = this.#live;
    // A finger's touch that the system takes over, such as a gesture, is no writing.
    if (type === "pointercancel" && pointer === "touch") return this.#drop();
    this.#live = null;
    if (!erases) this.set([...this.strokes, {pointer, points}], true);
    else if (before !== this.strokes) this.changed();
  }

  #drop() {
    this.#live = null;
    this.#repaint();
  }

  #add(events) {
    const live = this.#live, from = live.points.length;
    const added = events.map((event) => [(event.clientX - this.#box.left) / this.scale,
      (event.clientY - this.#box.top) / this.scale, performance.timeOrigin + event.timeStamp,
      event.pressure]);
    if (live.erases) return added.forEach((point) => this.#erase(point));
    for (const point of added) live.points.push(point); // too many for one call
    this.#draw(live, from);
  }

  #erase(pointer) {
    const isNear = (point) => distance(point, pointer) < ERASER / this.scale;
    const kept = this.strokes.filter(({points}) => !points.some(isNear));
    if (kept.length === this.strokes.length) return;
    // A sweep of the eraser is a single step to undo.
    if (this.#live.before === this.strokes) this.#at++;
    this.#states.splice(this.#at, Infinity, kept);
    this.#repaint();
  }
}

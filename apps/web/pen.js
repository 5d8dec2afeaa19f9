// A canvas to write on with a mouse, a finger or a pen.

import {button, clearedContext, create, distance, draw, find} from "./dom.js";
import {bounds} from "./ink.js";

const ERASER_RADIUS = 12; // px (assumed)
const LINE_WIDTH = 2.2; // px (assumed)
let hasPen = false; // whether a pen was used; touches are then those of a palm

/** Strokes {pointer, points} on a canvas, with undo and redo.
 *
 * Positions are CSS pixels from the canvas's corner. The strokes are drawn smaller on a canvas that
 * is narrower than the strokes. */
export class Pad {
  #states = [[]]; // the strokes after each change
  #current = 0; // index of the state that is shown
  #live = null; // the stroke that is being written
  #erasing = false;
  #neater = {}; // strokes as they were drawn, the positions of neater ones, and what is shown
  #box;
  #context;

  /** `tools` is the selector of the element for the buttons; `changed` is called after changes;
   * `level` returns a promise of the positions of neater strokes. */
  constructor(canvas, tools, changed, level) {
    this.changed = () => { this.#update(); changed(); };
    this.strength = create("input", {type: "range", min: 0, max: 1, step: 0.05, value: 1,
      title: "How even “Neater” makes the writing", ariaLabel: "Strength"});
    this.strength.oninput = () => { if (this.strokes === this.#neater.shown) this.#showNeater(); };
    Object.assign(this, {canvas, level, scale: 1});
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"])
      canvas.addEventListener(type, (event) => this.#up(event));
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), {passive: false});
    new ResizeObserver(() => this.#repaint()).observe(canvas);
    this.buttons = [button("Undo", () => this.step(-1)), button("Redo", () => this.step(1)),
      button("Erase", () => { this.#erasing = !this.#erasing; this.#update(); }),
      button("Clear", () => this.set([])), button("Neater", () => this.#makeNeater())];
    find(tools).append(...this.buttons, this.strength);
    this.#update();
  }

  get strokes() { return this.#states[this.#current]; }
  /** The points of each stroke. */
  get pointLists() { return this.strokes.map(({points}) => points); }
  get isWriting() { return this.#live !== null; }

  /** Replace the strokes, and forget the former states. */
  load(strokes) {
    [this.#states, this.#current, this.#live] = [[strokes], 0, null];
    this.#repaint();
    this.#update();
  }

  /** Add a state. If `isDrawn`, the canvas shows the strokes already. */
  set(strokes, isDrawn = false) {
    this.#states.splice(++this.#current, Infinity, strokes);
    if (!isDrawn) this.#repaint();
    this.changed();
  }

  /** Undo (-1) or redo (1) a change. */
  step(by) {
    if (!this.#states[this.#current + by]) return;
    this.#current += by;
    this.#repaint();
    this.changed();
  }

  #update() {
    const [undo, redo, erase, clear, neater] = this.buttons;
    [undo.disabled, redo.disabled] = [-1, 1].map((by) => !this.#states[this.#current + by]);
    erase.ariaPressed = this.#erasing;
    clear.disabled = neater.disabled = !this.strokes.length;
  }

  /** Make the strokes neater, unless they change meanwhile. */
  async #makeNeater() {
    const {strokes} = this, positions = await this.level(this.pointLists);
    if (strokes !== this.strokes || this.isWriting) return;
    this.#neater = {strokes, positions};
    this.#showNeater();
  }

  /** Show the neater strokes at the strength of the slider, as one change. */
  #showNeater() {
    const {strokes, positions, shown} = this.#neater, strength = Number(this.strength.value);
    if (shown) this.#current--;
    this.#neater.shown = strokes.map(({points, ...more}, k) => ({...more,
      points: points.map(([x, y, ...others], i) => [x + strength * (positions[k][i][0] - x),
        y + strength * (positions[k][i][1] - y), ...others])}));
    this.set(this.#neater.shown);
  }

  #repaint() {
    const context = this.#context = clearedContext(this.canvas);
    const {right} = bounds(this.strokes.length ? this.pointLists : [[[0, 0]]]);
    this.scale = Math.min(1, this.canvas.clientWidth / (right + 2));
    context.scale(this.scale, this.scale);
    for (const stroke of this.strokes) this.#draw(stroke);
  }

  #draw({points, pointer}, from = 0) {
    draw(this.#context, points, LINE_WIDTH, {from, hasPressure: pointer === "pen"});
  }

  #down(event) {
    const {pointerType: pointer, pointerId: id} = event;
    if (pointer === "pen") {
      hasPen = true;
      if (this.#live?.pointer === "touch") this.#drop();
    }
    const isPalm = hasPen && pointer === "touch";
    const isWrongButton = event.button > 0 && event.button !== 5; // 5: a pen's eraser
    if (isPalm || this.#live || isWrongButton) return;
    event.preventDefault();
    try { this.canvas.setPointerCapture(id); } catch { /* the pointer is lifted already */ }
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
    // The system cancels a touch that is a gesture, such as scrolling.
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
    for (const point of added) live.points.push(point); // too many to be arguments of one call
    this.#draw(live, from);
  }

  #erase(pointer) {
    const isNear = (point) => distance(point, pointer) < ERASER_RADIUS / this.scale;
    const kept = this.strokes.filter(({points}) => !points.some(isNear));
    if (kept.length === this.strokes.length) return;
    // All strokes that are erased before the pointer is lifted are one change.
    if (this.#live.before === this.strokes) this.#current++;
    this.#states.splice(this.#current, Infinity, kept);
    this.#repaint();
  }
}

// Where a written line ends: the rules and constants of model/generation/stopping.py for one line
// of a network that predicts the end of the sequence.

const REST = 0.1; // standard deviations within which a pen rests
const LONGEST_FINISH = 40; // steps of a stroke once the window has passed the text

export class Stopping {
  /** The first argument is the network's header; `text` has the numbers of the line's characters;
   * `limit` is the most steps; `point` is the normalised point before the first step. */
  constructor({alphabet, normalisation: {mean, std}}, text, limit, point) {
    const characters = [...alphabet];
    const toLetter = /[\p{L}\p{N}] *$/u.test(text.map((number) => characters[number]).join(""));
    const still = mean.map((value, axis) => -value / std[axis]);
    Object.assign(this, {text, limit, toLetter, still, steps: []});
    this.up = [point[2] > 0.5]; // whether the pen is lifted before a step
    this.onward = mean[0] < 0 ? -1 : 1; // some scripts run to the left
  }

  /** Take the points (x, y, end of stroke, end of the line) of the next steps and the characters at
   * the window's peak. Returns whether the line goes on. */
  feed(points, peaks) {
    this.steps.push(...points.map(([x, , , last], i) =>
      ({peak: peaks[i], back: (x - this.still[0]) * this.onward < 0, last: last > 0.5})));
    this.up.push(...points.map((point) => point[2] > 0.5));
    const {length} = this.steps;
    return this.#stops()[0] > length && length < this.limit;
  }

  /** The steps of the line, and whether a rule ended it rather than the limit. */
  end() {
    const [stopped, strokeEnded] = this.#stops(), ended = stopped < Infinity;
    return {steps: Math.min(ended ? stopped : strokeEnded, this.limit), ended};
  }

  /** Whether the pen rested at all of the points. */
  atRest(points) {
    return points.every((point) => point[2] < 0.5 &&
      this.still.every((still, axis) => Math.abs(point[axis] - still) <= REST));
  }

  /** The steps after which the line ends and its current stroke has ended, Infinity while the line
   * goes on. */
  #stops() {
    const {text, steps, up, toLetter} = this, reached = Math.min(this.limit, steps.length);
    const first = (from, stop, holds) => {
      for (let step = from; step < stop; step++) if (holds(step)) return step;
      return Infinity;
    };
    const passed = first(0, reached, (step) => steps[step].peak >= text.length);
    let ended = first(passed, reached + 1, (step) => up[step]);
    const delayed = (step) => toLetter && step > 0 && steps[step].back;
    let stopped = first(ended, reached, (step) => up[step] && !delayed(step));
    if (Math.min(ended, reached) - passed > LONGEST_FINISH) stopped = ended = passed;
    else if (Math.min(stopped, reached) - ended > LONGEST_FINISH) stopped = ended;
    const predicted = 1 + first(0, reached, (step) => steps[step].last &&
      steps[step].peak >= text.length - 1);
    return [Math.min(stopped, predicted), ended];
  }
}

// Where a written line ends: the rules and constants of model/generation/stopping.py for one line
// of a network that predicts the end of the sequence.

const REST = 0.1; // most standard deviations from 0 of a resting pen's offset, in x and in y
const LONGEST_FINISH = 40; // most steps of a stroke after the window has passed the text

export class Stopping {
  /** Begin a line. The first argument is the network's header, `text` the line's encoded text,
   * `limit` the largest number of steps, `point` the normalised point before the first step. */
  constructor({alphabet, normalisation: {mean, std}}, text, limit, point) {
    const characters = [...alphabet];
    const endsInLetter = /[\p{L}\p{N}] *$/u.test(text.map((code) => characters[code]).join(""));
    const still = mean.map((value, axis) => -value / std[axis]); // the offset of a resting pen
    Object.assign(this, {text, limit, endsInLetter, still, steps: []});
    this.up = [point[2] > 0.5]; // for each step, whether the pen is lifted before it
    this.onward = mean[0] < 0 ? -1 : 1; // some scripts run to the left
  }

  /** Take the points [x, y, end of stroke, end of line] of the next steps, and the index of the
   * character at the window's peak at each step. Returns whether the line goes on. */
  feed(points, peaks) {
    this.steps.push(...points.map(([x, , , end], i) =>
      ({peak: peaks[i], goesBack: (x - this.still[0]) * this.onward < 0, endsLine: end > 0.5})));
    this.up.push(...points.map((point) => point[2] > 0.5));
    const {length} = this.steps;
    return this.#stops()[0] > length && length < this.limit;
  }

  /** {steps, ended}: the line's number of steps, and whether a rule, not the limit, ended it. */
  end() {
    const [stopped, strokeEnded] = this.#stops(), ended = stopped < Infinity;
    return {steps: Math.min(ended ? stopped : strokeEnded, this.limit), ended};
  }

  /** Whether the pen rested through all of `points`. */
  atRest(points) {
    return points.every((point) => point[2] < 0.5 &&
      this.still.every((still, axis) => Math.abs(point[axis] - still) <= REST));
  }

  /** Return two numbers of steps: up to the end of the line, and up to the end of the stroke in
   * which the window passed the text. An unknown number is Infinity. */
  #stops() {
    const {text, steps, up, endsInLetter} = this, count = Math.min(this.limit, steps.length);
    const firstStep = (from, stop, condition) => {
      for (let step = from; step < stop; step++) if (condition(step)) return step;
      return Infinity;
    };
    const passed = firstStep(0, count, (step) => steps[step].peak >= text.length);
    let strokeEnded = firstStep(passed, count + 1, (step) => up[step]);
    const isDelayed = (step) => endsInLetter && step > 0 && steps[step].goesBack;
    let stopped = firstStep(strokeEnded, count, (step) => up[step] && !isDelayed(step));
    if (Math.min(strokeEnded, count) - passed > LONGEST_FINISH) stopped = strokeEnded = passed;
    else if (Math.min(stopped, count) - strokeEnded > LONGEST_FINISH) stopped = strokeEnded;
    const lastStep = firstStep(0, count, (step) => steps[step].endsLine &&
      steps[step].peak >= text.length - 1);
    return [Math.min(stopped, lastStep + 1), strokeEnded];
  }
}

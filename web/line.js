// Lines for a page: level, in x-heights, in a hand, and proofread. Python's handwriting/ does the
// same more carefully, with single words.

import * as shapes from "./ink.js";
import {withCorners} from "./repairs.js";
import {encode, misread} from "./text.js";

const TRIES = 6; // tries of a line that is misread, as in Python
const TRY_SEED_STRIDE = 1_000_000_007; // difference of seeds from try to try, as in Python
const SEEDS = 2 ** 32;
const MIN_STEPS = 100; // steps that any line may take, besides STEPS_PER_CHARACTER
const STEPS_PER_CHARACTER = 40; // steps that a line may take for each character
// Letters and digits with which a line's measure counts as much as its hand's (by eye).
const LINE_PRIOR = 1; // for the baseline
const HEIGHT_PRIOR = 8; // for the x-height, which capitals and digits alone do not show
const TURN_PRIOR = 2; // for the slope
const CHUNK = 32; // points that are shown together
const TAKEN_BACK = 56; // most steps after a line's end before the end is found (stopping.js)

/** How a writer draws points in a hand: a vector, or a primer {text, ink} in x-heights; null is the
 * hand that the writer chooses. Returns the vector that the writer is `told`, or the primer in the
 * writer's units; x-height, angle and height of the baseline, lean; and the stretch for a bias. */
function handOf({header: {sampling}}, hand, bias) {
  const usual = (at) => [1 - sampling.stretch * Math.expm1(-2 * at), 1], stretch = usual(bias);
  if (!hand?.ink) {
    const letter = sampling.x_height, baseline = sampling.baseline * letter;
    return {ink: [0, 0, 0], text: "", letter, angle: 0, baseline, stretch, told: hand};
  }
  const size = hand.x_height ?? sampling.x_height;
  const ink = [0, 0, ...hand.ink.slice(2)]; // without the first point's position on the page
  const parts = shapes.moved(shapes.strokes(ink), size, 0, size, 0);
  const angle = shapes.baselineAngle(parts), turned = shapes.turnedBack(parts, angle);
  return {
    ink: shapes.fromStrokes(parts), text: hand.text, letter: shapes.xHeight(parts), angle,
    baseline: shapes.baseline(turned), lean: shapes.slant(turned),
    stretch: stretch.map((factor, axis) =>
      hand.stretch ? factor * hand.stretch[axis] / usual(sampling.bias)[axis] : factor),
  };
}

/** Write a line until it is read right. Yields the line's {ink} as it grows, and empty ink before a
 * new try; returns the best try. Without a reader in `networks` the line is not proofread. */
export function* writeLine(networks, {text, seed, bias, ...options}) {
  const {writer} = networks, hand = handOf(writer, options.hand, bias);
  const whole = encode(hand.text ? `${hand.text} ${text}` : text, writer.header.alphabet);
  writer.begin(hand.ink, whole, hand.text.length, {bias, ...hand});
  const limit = MIN_STEPS + STEPS_PER_CHARACTER * text.length;
  let best = null;
  for (let attempt = 0; attempt < TRIES && best?.faults !== 0; attempt++) {
    if (attempt) yield {ink: []};
    const lines = writer.write((seed + TRY_SEED_STRIDE * attempt) % SEEDS, limit);
    const {parts, ended} = yield* handedOn(lines, hand, text), {reader} = networks;
    const ink = shapes.fromStrokes(parts);
    if (!reader) return {ink, doubtful: []};
    const read = reader.read(parts).map(({character}) => character).join("");
    const {errors, doubtful} = misread(text, read), faults = errors + (ended ? 0 : text.length);
    if (!best || faults < best.faults) best = {ink, doubtful, read, faults};
  }
  return best;
}

/** Yield a line as it is drawn, at its likely place. Returns the line's strokes and whether the
 * line is complete. */
function* handedOn(lines, hand, text) {
  const ink = hand.text ? [] : [...hand.ink];
  const [x, y] = hand.text ? shapes.strokes(hand.ink).flat().at(-1) : [0, 0]; // the line's begin
  const level = () => {
    const parts = shapes.strokes(ink);
    return shapes.turnedBack(shapes.moved(parts, 1, x, 1, y), hand.angle);
  };
  let shown = 0, turn = lines.next();
  const upTo = (stop) => {
    const parts = level(), left = parts[0][0][0];
    shown = stop;
    return {ink: shapes.fromStrokes(placed(parts, {...hand, left})).slice(0, stop)};
  };
  for (; !turn.done; turn = lines.next()) {
    ink.push(...turn.value);
    const sure = ink.length - 3 * TAKEN_BACK;
    if (sure >= shown + 3 * CHUNK) yield upTo(sure);
  }
  const {steps, ended, peaks} = turn.value;
  ink.length = 3 * (steps + Number(!hand.text));
  if (!ink.length) ink.push(0, 0, 0); // a dot, if the text was complete at once
  ink[ink.length - 1] = 1; // the pen leaves the paper
  if (ink.length > shown) yield upTo(ink.length);
  if (!hand.text) peaks.unshift(peaks[0]); // the window at a step is for the next point
  let parts = level(), first = 0;
  const whole = hand.text ? `${hand.text} ${text}` : text, lean = hand.lean ?? shapes.slant(parts);
  const numbers = parts.map((part) => peaks.slice(first, first += part.length));
  parts = withCorners(parts, numbers, whole, lean);
  return {parts: straightened(parts, hand, text), ended};
}

/** The strokes of a line in x-heights, from its left edge and the baseline. */
const placed = (parts, {letter, baseline, left}) =>
  shapes.moved(parts, 1 / letter, -left / letter, 1 / letter, -baseline / letter);

/** The strokes of a whole line, `placed`: the more characters the line has, the more its measures
 * weigh against its hand's (handwriting/word_cutting.py). */
function straightened(level, hand, text) {
  const characters = text.match(/[\p{L}\p{N}]/gu)?.length ?? 0, [x, y] = level[0][0];
  const weight = (prior) => characters / (characters + prior);
  const angle = weight(TURN_PRIOR) * shapes.baselineAngle(level);
  const turned = shapes.turnedBack(shapes.moved(level, 1, -x, 1, -y), angle);
  const parts = shapes.moved(turned, 1, x, 1, y);
  const below = shapes.baselineOf(parts, text) - hand.baseline;
  const baseline = hand.baseline + (hand.text ? weight(LINE_PRIOR) : 1) * below;
  const letter = hand.letter * (shapes.xHeight(parts) / hand.letter) ** weight(HEIGHT_PRIOR);
  return placed(parts, {letter, baseline, left: shapes.bounds(parts).left});
}

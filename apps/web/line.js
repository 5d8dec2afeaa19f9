// Lines for a page: level, in x-heights, in a hand, and proofread. Python's apps/pages/ does more:
// it proofreads and places single words.

import * as shapes from "./ink.js";
import {withCorners} from "./repairs.js";
import {encode, misread} from "./text.js";

const TRIES = 6; // most tries of a line, as in Python
const TRY_SEED_STRIDE = 1_000_000_007; // from the seed of a try to the seed of the next
const SEEDS = 2 ** 32; // number of seeds
const MIN_STEPS = 100; // steps that a line may take in addition to STEPS_PER_CHARACTER
const STEPS_PER_CHARACTER = 40; // steps that a line may take for each character
// Number of letters and digits at which a line's measure weighs as much as the hand's (by eye).
const LINE_PRIOR = 1; // for the baseline
const HEIGHT_PRIOR = 8; // for the x-height of a line without a hand (capitals do not show it)
const TURN_PRIOR = 2; // for the slope
const CHUNK = 32; // least number of points that are shown together
const MAX_SURPLUS = 56; // most points drawn beyond a line's end until the end is found

/** The hand in which a network draws points. `hand` is a hand vector; or a primer {text, strokes}, with
 * the strokes in x-heights; or null for the network's choice. Returns the `vector` or null, the
 * primer's text and ink in the network's units, the hand's measures in these units, and the stretch. */
function handOf({header: {sampling}}, hand, bias) {
  const stretchAt = (b) => [1 - sampling.stretch * Math.expm1(-2 * b), 1]; // for x and y, at bias b
  const stretch = stretchAt(bias);
  if (!hand?.text) {
    const xHeight = sampling.x_height, baseline = sampling.baseline * xHeight;
    const isGiven = Boolean(hand);
    return {ink: [0, 0, 0], text: "", xHeight, angle: 0, baseline, stretch, vector: hand, isGiven};
  }
  const size = hand.x_height ?? sampling.x_height;
  const [x, y] = hand.strokes[0][0]; // the line's position on a page
  const strokes = shapes.moved(hand.strokes, size, -x * size, size, -y * size);
  const angle = shapes.baselineAngle(strokes), turned = shapes.turnedBack(strokes, angle);
  return {
    ink: shapes.fromStrokes(strokes), text: hand.text, xHeight: shapes.xHeight(strokes), angle,
    isGiven: true,
    baseline: shapes.baseline(turned), lean: shapes.slant(turned),
    stretch: stretch.map((factor, axis) =>
      hand.stretch ? factor * hand.stretch[axis] / stretchAt(sampling.bias)[axis] : factor),
  };
}

/** The primer's text, a blank and the text; the text alone without a primer. */
const wholeText = (hand, text) => (hand.text ? `${hand.text} ${text}` : text);

/** Write a line, at most TRIES times, until it is read right. Yields {strokes} of the line as it
 * grows, and no strokes before each new try. Returns the best try {strokes, doubtful, ended, raw};
 * `raw` is its ink as the network drew it. The line is proofread by `options.reader` if there is one
 * when the line is drawn. */
export function* writeLine(network, text, {seed, bias, hand: given}, options) {
  const hand = handOf(network, given, bias);
  const codes = encode(wholeText(hand, text), network.header.alphabet);
  const line = network.begin(hand.ink, codes, hand.text.length, {bias, ...hand});
  const limit = MIN_STEPS + STEPS_PER_CHARACTER * (codes.length - hand.text.length);
  let best = null;
  for (let attempt = 0; attempt < TRIES && best?.faults !== 0; attempt++) {
    if (attempt) yield {strokes: []};
    const drawing = line.write((seed + TRY_SEED_STRIDE * attempt) % SEEDS, limit);
    const drawn = yield* show(drawing, hand, text), {reader} = options;
    if (!reader) return {...drawn, doubtful: []};
    const {errors, doubtful} = misread(text, reader.readLine(drawn.strokes));
    const faults = errors + (drawn.ended ? 0 : text.length);
    if (!best || faults < best.faults) best = {...drawn, doubtful, faults};
  }
  return best;
}

/** The strokes of the first `count` points. */
const firstPoints = (strokes, count) => strokes.map((stroke) => {
  const part = stroke.slice(0, Math.max(count, 0));
  count -= stroke.length;
  return part;
}).filter((stroke) => stroke.length);

/** Yield {strokes} of a line while `drawing`, a result of `Line.write`, goes on; the strokes are
 * placed by the hand's measures. Returns {strokes, ended, raw}: `ended` says whether the line is
 * complete, `raw` is its ink in the network's units. */
function* show(drawing, hand, text) {
  const ink = hand.text ? [] : [...hand.ink];
  // Where the pen begins: at the primer's end, or at the origin.
  const [x, y] = hand.text ? shapes.toStrokes(hand.ink).flat().at(-1) : [0, 0];
  const levelStrokes = () => {
    const strokes = shapes.toStrokes(ink);
    return shapes.turnedBack(shapes.moved(strokes, 1, x, 1, y), hand.angle);
  };
  let shown = 0, next = drawing.next(); // `shown` numbers of the ink were yielded
  const upTo = (stop) => {
    const strokes = levelStrokes(), left = strokes[0][0][0];
    shown = stop;
    return {strokes: firstPoints(placed(strokes, {...hand, left}), stop / 3)};
  };
  for (; !next.done; next = drawing.next()) {
    ink.push(...next.value);
    const stop = ink.length - 3 * MAX_SURPLUS;
    if (stop >= shown + 3 * CHUNK) yield upTo(stop);
  }
  const {steps, ended, peaks} = next.value;
  ink.length = 3 * (hand.text ? steps : steps + 1);
  if (!ink.length) ink.push(0, 0, 0); // a dot, if the text was complete at the primer's end
  ink[ink.length - 1] = 1; // the pen leaves the paper
  if (ink.length > shown) yield upTo(ink.length);
  if (!hand.text) peaks.unshift(peaks[0]); // for the point at the origin, which no step draws
  const strokes = levelStrokes(), lean = hand.lean ?? shapes.slant(strokes);
  let end = 0;
  const strokePeaks = strokes.map((stroke) => peaks.slice(end, end += stroke.length));
  const repaired = withCorners(strokes, strokePeaks, wholeText(hand, text), lean);
  const raw = Float32Array.of(0, 0, ...ink.slice(2));
  return {strokes: straightened(repaired, hand, text), ended, raw};
}

/** Strokes in x-heights, from the line's left edge and its baseline. */
const placed = (strokes, {xHeight, baseline, left}) =>
  shapes.moved(strokes, 1 / xHeight, -left / xHeight, 1 / xHeight, -baseline / xHeight);

/** The strokes of a whole line, `placed` by its hand's x-height and by a mean of the line's and the
 * hand's other measures. The line's weight grows with its number of characters
 * (apps/pages/word_cutting.py). */
function straightened(strokes, hand, text) {
  const count = text.match(/[\p{L}\p{N}]/gu)?.length ?? 0, [x, y] = strokes[0][0];
  const weight = (prior) => count / (count + prior);
  const angle = weight(TURN_PRIOR) * shapes.baselineAngle(strokes);
  const turned = shapes.turnedBack(shapes.moved(strokes, 1, -x, 1, -y), angle);
  const level = shapes.moved(turned, 1, x, 1, y);
  const difference = shapes.baselineOf(level, text, hand.xHeight) - hand.baseline;
  const baseline = hand.baseline + (hand.text ? weight(LINE_PRIOR) : 1) * difference;
  // The size of a hand that nobody gave shows in the line only.
  const growth = hand.isGiven ? 1 : (shapes.xHeight(level) / hand.xHeight) ** weight(HEIGHT_PRIOR);
  const xHeight = hand.xHeight * growth, {left} = shapes.bounds(level);
  return placed(level, {xHeight, baseline, left});
}

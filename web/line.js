// Lines as a page needs them: level, in x-heights, in the hand of a primer, and proofread. What
// Python does more carefully, with single words, is in handwriting/.

import * as shapes from "./ink.js";
import {withCorners} from "./repairs.js";
import {encode, misread, plain} from "./text.js";

const TRIES = 6, TRY_SEED_STRIDE = 1_000_000_007, SEEDS = 2 ** 32; // as Python's
const MIN_STEPS = 100, STEPS_PER_CHARACTER = 40; // of a line
const PRIMER_POINTS = 3000; // the most that are continued
const HAND_RATIO = 2; // by which a hand may differ from usual in size or speed
// Letters and digits that tell half of how high a line lies, of its x-height (by eye: that of
// capitals and digits alone is theirs), and of its slope.
const LINE_PRIOR = 1, HEIGHT_PRIOR = 8, TURN_PRIOR = 2;
const CHUNK = 32; // points that are shown together
const TAKEN_BACK = 56; // steps after the end of a line that it takes to find it (stopping.js)

/** How a hand goes on: ink and text of a primer in the writer's units, its x-height, the angle and
 * the height of its baseline, how far it leans, and the stretch that a bias needs; or that it is
 * told, a vector. */
function handOf({header: {sampling}}, {style, primer, bias}) {
  if (style?.told) return {...handOf({header: {sampling}}, {bias}), told: style.told};
  const usual = (at) => [1 - sampling.stretch * Math.expm1(-2 * at), 1];
  if (!style && !primer) {
    const baseline = sampling.baseline * sampling.x_height, stretch = usual(bias);
    return {ink: [0, 0, 0], text: "", letter: sampling.x_height, angle: 0, baseline, stretch};
  }
  const size = style?.x_height;
  const parts = primer ? asUsual(primer, sampling)
    : shapes.moved(shapes.strokes(style.ink), size, 0, size, 0);
  const angle = shapes.baselineAngle(parts), turned = shapes.turnedBack(parts, angle);
  const baseline = shapes.baseline(turned), lean = shapes.slant(turned);
  const stretch = usual(bias).map((now, axis) =>
    primer ? now : style.stretch[axis] * now / usual(sampling.bias)[axis]);
  const text = plain((primer ?? style).text), ink = shapes.fromStrokes(parts);
  return {ink, text, letter: shapes.xHeight(parts), angle, baseline, lean, stretch};
}

/** Strokes of any device as if they were the network's: of its size, and its points' distances. */
function asUsual({strokes}, {x_height, step}) {
  const beyond = (ratio) => (ratio > HAND_RATIO || ratio < 1 / HAND_RATIO ? ratio : 1);
  const scale = beyond(x_height / shapes.xHeight(strokes)), [[[x, y]]] = strokes;
  let parts = shapes.moved(strokes, scale, -scale * x, scale, -scale * y), number = 0;
  const period = beyond(step / (shapes.meanStep(parts) || step));
  if (period !== 1 || parts[0][0].length > 2) {
    const places = parts.map((part) => part.map(([, , time]) => time ?? number++));
    const spans = places.map((place) => place.at(-1) - place[0]);
    const rate = (parts.flat().length - parts.length) / (shapes.sum(spans) || 1) / period;
    parts = parts.map((part, i) => shapes.atEqualSteps(part, places[i],
      Math.max(Math.round(spans[i] * rate), Number(part.length > 1))));
  }
  const points = parts.flat().length;
  if (points < 2 || points > PRIMER_POINTS)
    throw new Error(`A line to go on from has 2 to ${PRIMER_POINTS} points.`);
  return parts;
}

/** Write a line until it is read right. Yields its {ink} as it grows, and none where it is written
 * again; returns its best try. `reader` is null without proofreading. */
export function* writeLine(writer, reader, given, {seed, bias, style, primer}) {
  const text = plain(given), hand = handOf(writer, {style, primer, bias});
  const whole = encode(hand.text ? `${hand.text} ${text}` : text, writer.header.alphabet);
  writer.begin(hand.ink, whole, hand.text.length, {bias, ...hand});
  const limit = MIN_STEPS + STEPS_PER_CHARACTER * text.length;
  let best = null;
  for (let attempt = 0; best?.errors !== 0 && attempt < (reader ? TRIES : 1); attempt++) {
    if (attempt) yield {ink: []};
    const lines = writer.write((seed + TRY_SEED_STRIDE * attempt) % SEEDS, limit);
    const {parts, ended} = yield* handedOn(lines, hand, text);
    const read = reader && reader.read(parts).map(({character}) => character).join("");
    const found = reader ? misread(text, read) : {errors: 0, doubtful: []};
    if (!ended) found.errors += text.length;
    if (!best || found.errors < best.errors)
      best = {...found, text, read, ink: shapes.fromStrokes(parts)};
  }
  return best;
}

/** Yield a line as it is drawn, placed as far as that is known. Returns its strokes and whether it
 * is complete. */
function* handedOn(lines, hand, text) {
  const ink = hand.text ? [] : [...hand.ink];
  const [x, y] = hand.text ? shapes.strokes(hand.ink).flat().at(-1) : [0, 0]; // where it begins
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
  if (!ink.length) ink.push(0, 0, 0); // a dot, where a text was complete at once
  ink[ink.length - 1] = 1; // the pen leaves the paper
  if (ink.length > shown) yield upTo(ink.length);
  if (!hand.text) peaks.unshift(peaks[0]); // the window at a step is for the next point
  let parts = level(), first = 0;
  const whole = hand.text ? `${hand.text} ${text}` : text, lean = hand.lean ?? shapes.slant(parts);
  const own = parts.map((part) => peaks.slice(first, first += part.length));
  parts = withCorners(parts, own, whole, lean);
  return {parts: straightened(parts, hand, text), ended};
}

/** The strokes of a line in x-heights, from its left edge and the baseline. */
const placed = (parts, {letter, baseline, left}) =>
  shapes.moved(parts, 1 / letter, -left / letter, 1 / letter, -baseline / letter);

/** The same of a whole line: the measures of its hand are changed by its own as far as so many
 * characters tell (handwriting/word_cutting.py). */
function straightened(given, hand, text) {
  const characters = text.match(/[\p{L}\p{N}]/gu)?.length ?? 0, [x, y] = given[0][0];
  const told = (prior) => characters / (characters + prior);
  const angle = told(TURN_PRIOR) * shapes.baselineAngle(given);
  const turned = shapes.turnedBack(shapes.moved(given, 1, -x, 1, -y), angle);
  const parts = shapes.moved(turned, 1, x, 1, y);
  const believed = (prior) => (hand.text ? told(prior) : 1);
  const baseline = hand.baseline +
    believed(LINE_PRIOR) * (shapes.baselineOf(parts, text) - hand.baseline);
  const letter = hand.letter * (shapes.xHeight(parts) / hand.letter) ** believed(HEIGHT_PRIOR);
  return placed(parts, {letter, baseline, left: shapes.bounds(parts).left});
}

// Lines as a page needs them: level, in x-heights, in the hand of a primer, and proofread. What
// Python does more carefully, with single words, is in handwriting/.

import { UserError } from "./engine.js";
import * as shapes from "./ink.js";
import { encode, misread, plain } from "./text.js";

const [TRIES, TRY_SEED_STRIDE, SEEDS] = [6, 1_000_000_007, 2 ** 32]; // as Python's
const [MIN_STEPS, STEPS_PER_CHARACTER] = [100, 40]; // of a line
const [PRIMER_TEXT, PRIMER_POINTS] = [200, 3000]; // the longest that are continued
const HAND_RATIO = 2; // by which a hand may differ from usual in size or speed
const [LINE_PRIOR, TURN_PRIOR] = [8, 2]; // characters that tell half of a line's height and slope
const CHUNK = 32; // points that are handed on together
const TAKEN_BACK = 56; // steps after the end of a line that it takes to find it (stopping.js)

// How a hand goes on: ink and text of a primer in the writer's units, its x-height, the angle and
// the height of its baseline, and the stretch that a bias needs.
function handOf({ header: { sampling } }, { style, primer, bias }) {
  const usual = (at) => [1 - sampling.stretch * Math.expm1(-2 * at), 1];
  if (!style && !primer) {
    const [letter, baseline] = [sampling.x_height, sampling.baseline * sampling.x_height];
    return { ink: [0, 0, 0], text: "", letter, angle: 0, baseline, stretch: usual(bias) };
  }
  const own = (value, i) => (i % 3 === 2 ? value : value * style.x_height);
  const ink = primer ? asUsual(primer, sampling) : style.ink.map(own);
  const parts = shapes.strokes(ink);
  const angle = shapes.baselineAngle(parts);
  const baseline = shapes.baseline(shapes.turnedBack(parts, angle));
  const stretch = usual(bias).map((now, axis) =>
    primer ? now : (style.stretch[axis] * now) / usual(sampling.bias)[axis]);
  const text = plain((primer ?? style).text);
  return { ink, text, letter: shapes.xHeight(parts), angle, baseline, stretch };
}

// Ink of any device as if it was the network's: of its size, and of its points' distances.
function asUsual({ ink, text, times }, { x_height, step }) {
  if (ink.length < 6 || ink.length > 3 * PRIMER_POINTS || text.length > PRIMER_TEXT)
    throw new UserError(`A line to go on from has 2 to ${PRIMER_POINTS} points and a text.`);
  const beyond = (ratio) => (ratio > HAND_RATIO || ratio < 1 / HAND_RATIO ? ratio : 1);
  const given = shapes.strokes(ink);
  const scale = beyond(x_height / shapes.xHeight(given));
  const parts = given.map((part) => part.map(([x, y]) => [x * scale, y * scale]));
  const period = beyond(step / (shapes.meanStep(parts) || step));
  if (!times && period === 1) return shapes.fromStrokes(parts);
  let at = 0;
  const places = parts.map((part) => part.map(() => times?.[at++] ?? at++));
  const lasts = places.map((place) => place.at(-1) - place[0]);
  const passed = lasts.reduce((sum, last) => sum + last, 0) || 1;
  return shapes.fromStrokes(parts.map((part, number) => {
    const count = Math.round(((lasts[number] / passed) * (at - parts.length)) / period);
    return shapes.atEqualSteps(part, places[number], Math.max(count, Number(part.length > 1)));
  }));
}

// Write a line until it is read right. Yields {type: "points", ink} and {type: "again", attempt,
// read}; returns what "done" says of its best try. `reader` is null without proofreading.
export function* writeLine(writer, reader, given, { seed, bias, style, primer }) {
  const text = plain(given);
  const hand = handOf(writer, { style, primer, bias });
  const whole = hand.text ? `${hand.text} ${text}` : text;
  const sampling = { bias, stretch: hand.stretch };
  writer.begin(hand.ink, encode(whole, writer.header.alphabet), hand.text.length, sampling);
  let best = null;
  for (let attempt = 0; best?.errors !== 0 && attempt < (reader ? TRIES : 1); attempt++) {
    if (attempt) yield { type: "again", attempt, read: best.read };
    const limit = MIN_STEPS + STEPS_PER_CHARACTER * text.length;
    const lines = writer.write((seed + TRY_SEED_STRIDE * attempt) % SEEDS, limit);
    const { parts, ended } = yield* handedOn(lines, hand, text);
    const ink = shapes.fromStrokes(parts);
    const read = reader && reader.read(ink).map(({ character }) => character).join("");
    const found = reader ? misread(text, read) : { errors: 0, doubtful: [] };
    if (!ended) found.errors += text.length;
    if (!best || found.errors < best.errors)
      best = { ...found, text, ink, read };
  }
  return best;
}

// Yield the points of a line as they are drawn, placed as far as that is known. Returns its strokes
// and whether it is complete.
function* handedOn(lines, hand, text) {
  const ink = hand.text ? [] : [...hand.ink];
  const [x, y] = hand.text ? shapes.strokes(hand.ink).flat().at(-1) : [0, 0]; // where it begins
  const level = () => {
    const moved = shapes.strokes([x + ink[0], y + ink[1], ink[2], ...ink.slice(3)]);
    return shapes.turnedBack(moved, hand.angle);
  };
  let sent = 0;
  const next = (stop) => {
    const parts = level();
    const points = shapes.fromStrokes(placed(parts, { ...hand, left: parts[0][0][0] }));
    const found = points.slice(sent, stop);
    sent = stop;
    return { type: "points", ink: found };
  };
  let turn = lines.next();
  for (; !turn.done; turn = lines.next()) {
    ink.push(...turn.value);
    const sure = ink.length - 3 * TAKEN_BACK;
    if (sure >= sent + 3 * CHUNK) yield next(sure);
  }
  const { steps, ended } = turn.value;
  ink.length = 3 * (steps + Number(!hand.text));
  if (!ink.length) ink.push(0, 0, 0); // a dot, where a text was complete at once
  ink[ink.length - 1] = 1; // the pen leaves the paper
  if (ink.length > sent) yield next(ink.length);
  return { parts: straightened(level(), hand, text), ended };
}

// The strokes of a line in x-heights, from its left edge and the baseline.
function placed(parts, { letter, baseline, left }) {
  return parts.map((part) => part.map(([x, y]) => [(x - left) / letter, (y - baseline) / letter]));
}

// The same of a whole line: the measures of its hand are changed by its own as far as so many
// characters tell (handwriting/words.py).
function straightened(given, hand, text) {
  const characters = text.replaceAll(" ", "").length;
  const share = characters / (characters + (hand.text ? LINE_PRIOR : 0));
  const [x, y] = given[0][0];
  const around = placed(given, { letter: 1, baseline: y, left: x });
  const angle = (shapes.baselineAngle(given) * characters) / (characters + TURN_PRIOR);
  const parts = placed(shapes.turnedBack(around, angle), { letter: 1, baseline: -y, left: -x });
  const baseline = hand.baseline + share * (shapes.baseline(parts) - hand.baseline);
  const letter = hand.letter * (shapes.xHeight(parts) / hand.letter) ** share;
  return placed(parts, { letter, baseline, left: shapes.bounds(parts).left });
}

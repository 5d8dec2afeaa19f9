// Lines as a page needs them: level, in x-heights, in the hand of a primer, and proofread. What
// Python does more carefully, with single words, is in handwriting/.

import { UserError } from "./engine.js";
import * as shapes from "./ink.js";
import { encode, misread, partsOf, plain } from "./text.js";

const [TRIES, TRY_SEED_STRIDE, PART_SEED_STRIDE] = [6, 1_000_000_007, 10_000_019]; // as Python's
const SEEDS = 2 ** 32;
const [MIN_STEPS, STEPS_PER_CHARACTER] = [100, 40]; // of a line
const [PRIMER_TEXT, PRIMER_POINTS] = [200, 3000]; // the longest that are continued
const HAND_RATIO = 2; // by which a hand may differ from usual in size or speed
const SPACE = 1.2; // x-heights between words
const [LINE_PRIOR, TURN_PRIOR] = [8, 2]; // characters that tell half of a line's height and slope
const CHUNK = 32; // points that are handed on together
const TAKEN_BACK = 56; // steps after the end of a line that it takes to find it (stopping.js)

// How a hand continues: ink and text of a primer in the writer's units; its x-height, the angle and
// the height of its baseline; and the stretch that a bias needs.
function handOf({ header }, { style, primer, bias }) {
  const { sampling } = header;
  const usual = (at) => [1 - sampling.stretch * Math.expm1(-2 * at), 1];
  if (!style && !primer) {
    const baseline = sampling.baseline * sampling.x_height;
    const first = { ink: [0, 0, 0], text: "", letter: sampling.x_height, angle: 0, baseline };
    return { ...first, stretch: usual(bias) };
  }
  const shape = ({ ink, text }) => {
    const parts = shapes.strokes(ink);
    const angle = shapes.baselineAngle(parts);
    const baseline = shapes.baseline(shapes.turnedBack(parts, angle));
    return { ink, text: plain(text), letter: shapes.xHeight(parts), angle, baseline };
  };
  if (primer)
    return { ...shape({ ...primer, ink: asUsual(primer, sampling) }), stretch: usual(bias) };
  const scale = (value, i) => (i % 3 === 2 ? value : value * style.x_height);
  const now = usual(bias);
  const stretch = usual(sampling.bias).map((was, axis) => (style.stretch[axis] * now[axis]) / was);
  return { ...shape({ text: style.text, ink: style.ink.map(scale) }), stretch };
}

// Ink of any device as if it was the network's: of its size, and of its points' distances.
function asUsual({ ink, text, times }, { x_height, step }) {
  if (ink.length < 6 || ink.length > 3 * PRIMER_POINTS || text.length > PRIMER_TEXT)
    throw new UserError(`A line to go on from has 2 to ${PRIMER_POINTS} points and a text.`);
  const beyond = (ratio) => (ratio > HAND_RATIO || ratio < 1 / HAND_RATIO ? ratio : 1);
  let parts = shapes.strokes(ink);
  const scale = beyond(x_height / shapes.xHeight(parts));
  parts = parts.map((part) => part.map(([x, y]) => [x * scale, y * scale]));
  const period = beyond(step / (shapes.meanStep(parts) || step));
  if (!times && period === 1) return shapes.fromStrokes(parts);
  let at = 0;
  const steps = parts.reduce((sum, part) => sum + part.length - 1, 0);
  const places = parts.map((part) => part.map(() => times?.[at++] ?? at++));
  const passed = places.reduce((sum, place) => sum + place.at(-1) - place[0], 0);
  return shapes.fromStrokes(parts.map((part, number) => {
    const own = places[number].at(-1) - places[number][0];
    const count = passed > 0 ? Math.round((own / passed) * (steps / period)) : 0;
    return shapes.atEqualSteps(part, places[number], Math.max(count, Number(part.length > 1)));
  }));
}

// Write a line. Yields {type: "points", ink} and {type: "again", attempt, read}; returns what
// "done" says. `reader` is null without proofreading.
export function* writeLine(writer, reader, text, { seed, bias, style = null, primer = null }) {
  const whole = plain(text);
  let hand = handOf(writer, { style, primer, bias });
  const line = { parts: [], read: [], doubtful: [], advance: 0 };
  let start = 0;
  for (const [number, own] of partsOf(whole, writer.header.sampling.longest).entries()) {
    const seeds = { seed: (seed + PART_SEED_STRIDE * number) % SEEDS, bias };
    const part = yield* proofreadPart(writer, reader, own, hand, seeds, line);
    const shifted = part.parts.map((stroke) => stroke.map(([x, y]) => [x + line.advance, y]));
    line.parts.push(...shifted);
    line.read.push(part.read);
    line.doubtful.push(...part.doubtful.map((span) => span.map((at) => at + start)));
    line.advance += shapes.bounds(part.parts).right + SPACE;
    start += own.length + 1;
    if (hand.text === "") hand = { ...handOf(writer, { primer: part.plain, bias }) };
  }
  const { doubtful, advance } = line;
  const read = reader && line.read.join(" ");
  return { text: whole, read, doubtful, advance, ink: shapes.fromStrokes(line.parts) };
}

// Write a part of a line until it is read right, and return the best of its tries.
function* proofreadPart(writer, reader, text, hand, { seed, bias }, before) {
  const primed = hand.text ? `${hand.text} ` : "";
  const numbers = encode(primed + text, writer.header.alphabet);
  const begin = writer.begin(hand.ink, numbers, hand.text.length);
  const limit = MIN_STEPS + STEPS_PER_CHARACTER * text.length;
  let best = null;
  for (let attempt = 0; attempt < (reader ? TRIES : 1); attempt++) {
    if (attempt) {
      yield { type: "again", attempt, read: best.read };
      if (before.parts.length) yield { type: "points", ink: shapes.fromStrokes(before.parts) };
    }
    const sampling = { bias, stretch: hand.stretch, limit };
    const lines = writer.write(begin, (seed + TRY_SEED_STRIDE * attempt) % SEEDS, sampling);
    const written = yield* handedOn(lines, hand, before);
    const parts = placed(written, hand, text);
    const ink = shapes.fromStrokes(parts);
    const read = reader ? reader.read(ink).map(({ character }) => character).join("") : "";
    const found = reader ? misread(text, read) : { errors: 0, doubtful: [] };
    if (!written.ended) found.errors += text.length;
    if (!best || found.errors < best.errors)
      best = { ...found, parts, read, plain: { ink: written.ink, text } };
    if (!best.errors) break;
  }
  return best;
}

// Yield the points of a line as they are drawn, placed as far as that is known; returns its ink in
// the writer's units, from where the primer ends, and whether it is complete.
function* handedOn(lines, hand, before) {
  const ink = hand.text ? [] : [...hand.ink];
  const end = shapes.strokes(hand.ink).flat().at(-1);
  const [[[x, y]]] = shapes.turnedBack([[hand.text ? end : [0, 0]]], hand.angle);
  const last = before.parts.at(-1)?.at(-1) ?? [0, 0];
  const from = [before.advance - last[0], (y - hand.baseline) / hand.letter - last[1]];
  let sent = 0;
  const next = (stop) => {
    const points = [];
    for (let i = sent; i < stop; i += 3) {
      const [[[dx, dy]]] = shapes.turnedBack([[[ink[i], ink[i + 1]]]], hand.angle);
      const offset = [dx / hand.letter, dy / hand.letter];
      points.push(...offset.map((way, axis) => (i ? way : from[axis] + axis * way)), ink[i + 2]);
    }
    sent = stop;
    return { type: "points", ink: Float32Array.from(points) };
  };
  let turn = lines.next();
  for (; !turn.done; turn = lines.next()) {
    ink.push(...turn.value);
    const sure = ink.length - 3 * TAKEN_BACK;
    if (sure >= sent + 3 * CHUNK) yield next(sure);
  }
  const { steps, ended } = turn.value;
  ink.length = 3 * (steps + Number(!hand.text));
  if (ink.length) ink[ink.length - 1] = 1; // the pen leaves the paper
  if (ink.length > sent) yield next(ink.length);
  return { ink: Float32Array.from(ink), ended: ended && ink.length > 3 };
}

// The strokes of a line, level, on the baseline, in x-heights, from its left edge. A hand's own
// measures are changed by those of the line as far as so many characters tell (handwriting/words).
function placed({ ink }, hand, text) {
  if (!ink.length) return [[[0, 0]]]; // a dot
  const characters = text.replaceAll(" ", "").length;
  const share = (prior) => characters / (characters + (hand.text ? prior : 0));
  const end = hand.text ? shapes.strokes(hand.ink).flat().at(-1) : [0, 0];
  const moved = shapes.strokes(ink).map((part) => part.map(([x, y]) => [x + end[0], y + end[1]]));
  let parts = shapes.turnedBack(moved, hand.angle);
  const [[origin]] = parts;
  const about = (all, sign) =>
    all.map((part) => part.map(([x, y]) => [x + sign * origin[0], y + sign * origin[1]]));
  const angle = shapes.baselineAngle(parts) * (characters / (characters + TURN_PRIOR));
  parts = about(shapes.turnedBack(about(parts, -1), angle), 1);
  const height = hand.baseline + share(LINE_PRIOR) * (shapes.baseline(parts) - hand.baseline);
  const letter = hand.letter * (shapes.xHeight(parts) / hand.letter) ** share(LINE_PRIOR);
  const { left } = shapes.bounds(parts);
  return parts.map((part) => part.map(([x, y]) => [(x - left) / letter, (y - height) / letter]));
}

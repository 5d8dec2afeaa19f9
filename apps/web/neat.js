// Makes rows of handwriting neater, as apps/notes/neat.py and apps/notes/word_shapes.py do.

import {
  baseline, baselineAngle, bounds, median, moved, slopesBetween, sum, turnedBack,
  turningPoints, weightedMedian, xHeight,
} from "./ink.js";

// Lengths are in x-heights.
const INNER = 0.35; // quantile of the turning points at the x-height
const REACH = 6; // from the middle of a word to the row around it
const MAX_OFF = 0.45; // from a turning point to the line that it may be on
const MIN_SPAN = 1; // between two turning points whose slope is measured
const TALL = "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜbdfhkltß0123456789ij'\"!?()"; // above the x-height
const DEEP = "gjpqyfQ,;()"; // signs that reach below the baseline
const MAX_ENDS = 300; // turning points of a line whose slope is measured
const LINE_PRIOR = 1; // turning points at which a word's own measure has half of the weight
const HEIGHT_PRIOR = 1.5;
const LEAN_PRIOR = 1;
const SLOPE_PRIOR = 8;
const MAX_TURN = 0.15; // radians by which a word is turned
const MAX_SHEAR = 0.3; // x over y by which a word is sheared
const SCALES = [0.8, 1.25]; // bounds of the factor by which a word is scaled
const MAX_ROW_SLOPE = 0.18; // radians; a row that is steeper was meant to slope
const MAX_SIZE_RATIO = 1.5; // of a row's x-height to that of the page
const MIN_GAP = 0.25; // usual gaps; a narrower one is within a word
const MAX_GAP = 2.2; // usual gaps; a wider one is between columns
const LEAST_GAP = 0.8; // usual gaps; a row with narrower ones is written smaller
const WIDTHS = [0.8, 1.15]; // bounds of a row's width, as a fraction of its width before
const MAX_DISTANCE = 3.5; // from a row's middle to its strokes; others are late marks (assumed)

const LETTER = /[\p{L}\p{N}]/u;
const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);
const count = (text, signs) => [...text].filter((sign) => signs.includes(sign)).length;
/** A mean of a usual value and one that was measured on `number` turning points. */
const mixed = (usual, own, number, prior) => usual + (own - usual) * number / (number + prior);
/** The y that the line of an end has at `at`. */
const levelY = ([x, y], at, slope) => y - slope * (x - at);

function quantile(sorted, fraction) {
  const place = fraction * (sorted.length - 1), [low, high = low] = sorted.slice(Math.floor(place));
  return low + (place % 1) * (high - low);
}

/** The slope of parallel lines of ends; the usual one if there are too few ends. */
function slopeOf(lines, usual, unit) {
  const slopes = lines.flatMap((line) => {
    const stride = Math.ceil(line.length / MAX_ENDS);
    return slopesBetween(line.filter((_, i) => i % stride === 0), MIN_SPAN * unit);
  });
  return slopes.length > 2 ? median(slopes) : usual;
}

/** The y at `x` and the slope of the line on which most ends are. */
function lineOf(ends, x, unit) {
  let slope = 0, y = median(ends.map((end) => end[1]));
  for (let pass = 0; pass < 2; pass++) {
    const onLine = ends.filter((end) => Math.abs(levelY(end, x, slope) - y) <= MAX_OFF * unit);
    slope = slopeOf([onLine], slope, unit);
    if (onLine.length) y = median(onLine.map((end) => levelY(end, x, slope)));
  }
  return [y, slope];
}

/** The units of a row, {text, numbers} each: words that move together, mostly one, as no stroke
 * runs from one unit to another. */
function unitsOf(words) {
  const units = [];
  for (const word of words) {
    let {text, strokes: numbers} = word;
    while (units.some((unit) => unit.numbers.some((number) => numbers.includes(number)))) {
      const before = units.pop();
      text = `${before.text} ${text}`;
      numbers = [...new Set([...before.numbers, ...numbers])];
    }
    units.push({text, numbers});
  }
  return units.filter(({numbers}) => numbers.length);
}

/** A row that is turned back by an angle: its x-height, and its units with their strokes, turning
 * points and middle; once they are measured also baseline, slope, x-height, lean and edges. */
class RowShape {
  constructor({strokes, words}, angle) {
    const level = turnedBack(strokes, angle), unit = xHeight(strokes);
    const middle = baseline(level) - unit / 2, isNear = (number) => {
      const {top, bottom} = bounds([level[number]]);
      return Math.abs((top + bottom) / 2 - middle) <= MAX_DISTANCE * unit;
    };
    const near = words.map((word) => ({...word, strokes: word.strokes.filter(isNear)}));
    this.angle = angle;
    this.units = unitsOf(near).map(({text, numbers}) => {
      const parts = numbers.map((number) => level[number]), {left, right, bottom} = bounds(parts);
      const isSign = !LETTER.test(text);
      return {text, numbers, parts, isSign, bottom, x: (left + right) / 2};
    });
    const height = xHeight(this.units.flatMap(({parts}) => parts));
    for (const unit of this.units) Object.assign(unit, turningPoints(unit.parts, height));
    this.height = this.#height(this.#roughHeight() ?? height);
  }

  #height(rough) {
    const heights = this.units.flatMap((unit) => {
      const [baseline, slope] = this.line(unit, rough);
      return unit.high.map((end) => baseline - levelY(end, unit.x, slope));
    }).filter((height) => Math.abs(height - rough) <= MAX_OFF * rough);
    return heights.length ? median(heights) : rough;
  }

  /** The median x-height of the units, by the turning points that are not of tall or deep letters;
   * undefined without such points. */
  #roughHeight() {
    const heights = this.units.map(({text, low, high}) => {
      const [lows, highs] = [low, high].map((ends) =>
        Float64Array.from(ends, ([, y]) => y).sort());
      const feet = lows.slice(0, Math.max(lows.length - count(text, DEEP), 0));
      const tops = highs.slice(count(text, TALL)), weight = Math.min(feet.length, tops.length);
      const height = weight && quantile(feet, 1 - INNER) - quantile(tops, INNER);
      return [height, height > 0 ? weight : 0];
    });
    return weightedMedian(heights.filter(([, weight]) => weight));
  }

  /** The y of the row's baseline in the middle of a unit, and its slope there. */
  line({x, bottom}, unit) {
    const near = this.units.filter((other) => Math.abs(other.x - x) <= REACH * unit);
    const ends = near.flatMap(({low}) => low);
    return ends.length ? lineOf(ends, x, unit) : [bottom, 0];
  }

  /** Measure each unit; without downstrokes it has the usual lean. */
  measure(usualLean) {
    for (const unit of this.units) {
      const {x, text, down} = unit, {height} = this;
      let [baseline, slope] = this.line(unit, height), xHeight = height;
      const isNear = (end, y) => Math.abs(levelY(end, x, slope) - y) <= MAX_OFF * height;
      const low = unit.low.filter((end) => isNear(end, baseline));
      const high = unit.high.filter((end) => isNear(end, baseline - height));
      slope = mixed(slope, slopeOf([low, high], slope, height), low.length + high.length,
        SLOPE_PRIOR);
      const mean = (ends) => median(ends.map((end) => levelY(end, x, slope)));
      if (low.length) baseline = mixed(baseline, mean(low), low.length, LINE_PRIOR);
      const pairs = Math.min(low.length, high.length);
      if (pairs && [...text].some((sign) => LETTER.test(sign) && !TALL.includes(sign)))
        xHeight *= Math.max((mean(low) - mean(high)) / height, MAX_OFF) **
          (pairs / (pairs + HEIGHT_PRIOR));
      const own = weightedMedian(down) ?? usualLean;
      const lean = mixed(usualLean, own, down.length, LEAN_PRIOR);
      Object.assign(unit, {baseline, slope, xHeight, lean});
      const {left, right} = upright(moved(unit.parts, 1, 0, 1, -baseline), usualLean);
      unit.span = [left, right];
    }
  }

  /** The gaps between the units. */
  get gaps() { return this.units.slice(1).map(({span}, i) => span[0] - this.units[i].span[1]); }
}

/** The bounds of strokes whose letters are made upright. */
const upright = (strokes, lean) => bounds(strokes.map((stroke) =>
  stroke.map(([x, y]) => [x + lean * y, y])));

/** The level points of a unit from its middle on the baseline, with a lean and an x-height. */
function reshaped({parts, x, baseline, slope, lean, xHeight}, usualLean, height) {
  const origin = moved(parts, 1, -x, 1, -baseline);
  const shear = clamp(lean - usualLean, [-MAX_SHEAR, MAX_SHEAR]);
  const scale = clamp(height / xHeight, SCALES);
  return turnedBack(origin, clamp(Math.atan(slope), [-MAX_TURN, MAX_TURN]))
    .map((part) => part.map(([px, py]) => [scale * (px + shear * py), scale * py]));
}

/** The new left edge of each unit, and the fraction of the `widths` at which all have room. `usual`
 * is the usual gap, `room` that behind the row. A gap that is not even stays; behind a wide one the
 * units stay in their place. */
function leftsOf({units, gaps}, widths, {usual, room, isEven, isWide}) {
  const lefts = [], last = units.length - 1;
  let fraction = Infinity, start = 0;
  units.forEach(({span: [, end]}, i) => {
    if (i < last && !isWide[i]) return;
    const [from] = units[start].span, width = end - from, all = sum(widths.slice(start, i + 1));
    const others = gaps.slice(start, i).filter((_, k) => !isEven[start + k]);
    const kept = all + sum(others), evens = i - start - others.length;
    const most = i < last ? width : Math.min(WIDTHS[1] * width, width + room);
    fraction = Math.min(fraction,
      1 - (kept + LEAST_GAP * usual * evens - most) / Math.max(all, 1e-9));
    const even = clamp(usual, [(WIDTHS[0] * width - kept) / evens, (most - kept) / evens]);
    for (let left = from; start <= i; start++) {
      lefts.push(left);
      left += widths[start] + (isEven[start] ? Math.max(even, LEAST_GAP * usual) : gaps[start]);
    }
  });
  return [lefts, fraction];
}

/** Move the strokes of a row's units; `room` is how much wider the row may become. */
function neatRow(row, strokes, {lean, height, gap}, room) {
  const {units, gaps, angle} = row, relative = gaps.map((own) => own / (gap * row.height || 1));
  const isWide = relative.map((own) => own > MAX_GAP);
  const isEven = relative.map((own, i) =>
    own >= MIN_GAP && !units[i].isSign && !units[i + 1].isSign);
  const isUsual = Math.abs(Math.log(height / row.height)) < Math.log(MAX_SIZE_RATIO);
  let size = isUsual ? height : row.height, parts, edges, lefts, fraction;
  for (let pass = 0; pass < 2; pass++) {
    parts = units.map((unit) => reshaped(unit, lean, size));
    edges = parts.map((part) => upright(part, lean));
    const limits = {usual: gap * size, room, isEven, isWide};
    [lefts, fraction] = leftsOf(row, edges.map(({width}) => width), limits);
    size *= Math.min(fraction, 1);
  }
  // Back onto the page: the row's middle stays; the row is level unless it is steep.
  const weights = units.map(({span: [left, right]}) => right - left + 1e-9);
  const baseline = sum(units.map((unit, i) => weights[i] * unit.baseline)) / sum(weights);
  const x = (Math.min(...units.map(({span}) => span[0])) +
    Math.max(...units.map(({span}) => span[1]))) / 2;
  const [[[pageX, pageY]]] = turnedBack([[[x, baseline]]], -angle);
  units.forEach(({numbers}, i) => {
    const placed = moved(parts[i], 1, lefts[i] - edges[i].left - x, 1, 0);
    const turned = turnedBack(placed, Math.abs(angle) > MAX_ROW_SLOPE ? -angle : 0);
    moved(turned, 1, pageX, 1, pageY).forEach((part, k) => { strokes[numbers[k]] = part; });
  });
}

/** The strokes of rows {strokes, words}, neater, the positions [x, y] only; see `Reader.words`. */
export function neat(rows) {
  const angles = rows.map(({strokes, words}) => words.length ? baselineAngle(strokes) : NaN);
  const known = angles.filter((angle) => !isNaN(angle)), usual = known.length ? median(known) : 0;
  const shapes = rows.map((row, i) => new RowShape(row, isNaN(angles[i]) ? usual : angles[i]));
  const written = shapes.filter(({units}) => units.length);
  const units = written.flatMap((shape) => shape.units);
  const lean = weightedMedian(units.flatMap(({down}) => down)) ?? 0;
  const height = weightedMedian(written.map((shape) => [shape.height, shape.units.length]));
  for (const shape of written) shape.measure(lean);
  const gaps = written.flatMap((shape) => shape.gaps.map((own) => own / shape.height));
  const page = {lean, height, gap: gaps.length ? median(gaps) : 0};
  const spans = rows.map(({strokes}) => bounds(strokes));
  return rows.flatMap(({strokes}, i) => {
    const {left, right} = spans[i], result = [...strokes];
    // A row ends no further to the right than the rows that are above or below most of it.
    const beside = spans.filter((span, k) => shapes[k].units.length &&
      Math.min(span.right, right) - Math.max(span.left, left) >= (right - left) / 2);
    const room = Math.max(...beside.map((span) => span.right)) - right;
    if (shapes[i].units.length) neatRow(shapes[i], result, page, room);
    return result;
  });
}

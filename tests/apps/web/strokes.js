/** The strokes of ink that begins at the origin: of each point the offset in x, the offset in y, and
 * 1 where a stroke ends, otherwise 0. */
export function toStrokes(ink) {
  const strokes = [];
  let x = 0, y = 0, begins = true;
  for (let i = 0; i < ink.length; i += 3) {
    if (begins) strokes.push([]);
    strokes.at(-1).push([(x += ink[i]), (y += ink[i + 1])]);
    begins = ink[i + 2] > 0.5;
  }
  return strokes;
}

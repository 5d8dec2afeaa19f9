// Ink among the elements of a drawing of Excalidraw.

/** @typedef {{type: string, x: number, y: number, points?: number[][], angle?: number,
 *   opacity?: number, isDeleted?: boolean}} Element */

const MIN_PEN_OPACITY = 75; // per cent; a stroke with less is a highlighter's, as in ink/formats

/** Whether an element is a stroke of a pen. Erased elements and highlighters are none.
 * @param {Element} element */
export const isPen = ({type, isDeleted, opacity = 100, points}) =>
  type === "freedraw" && !isDeleted && opacity >= MIN_PEN_OPACITY && Boolean(points?.length);

/** The strokes of elements that are strokes of a pen: lists of points [x, y] of the drawing.
 * @param {Element[]} elements */
export function strokesOf(elements) {
  return elements.filter(isPen).map(({x, y, angle = 0, points}) => {
    const [middleX, middleY] = [0, 1].map((axis) => {
      const values = points.map((point) => point[axis]);
      return (Math.min(...values) + Math.max(...values)) / 2;
    });
    const cos = Math.cos(angle), sin = Math.sin(angle);
    return points.map(([px, py]) => {
      const dx = px - middleX, dy = py - middleY;
      return [x + middleX + cos * dx - sin * dy, y + middleY + sin * dx + cos * dy];
    });
  });
}

import type {Source} from "./index.js";

/** Put the browsers' Handwriting Recognition API (WICG, draft) into a page: `navigator` gets
 * `queryHandwritingRecognizer` and `createHandwritingRecognizer`, and the page `HandwritingStroke`. The
 * arguments are those of `loadReader`. */
export function install(network?: Source, engine?: Source): void;

export interface HandwritingPoint { x: number; y: number; t?: number }

export class HandwritingStroke {
  addPoint(point: HandwritingPoint): void;
  getPoints(): HandwritingPoint[];
  clear(): void;
}

export interface HandwritingSegment {
  grapheme: string;
  /** Where it is in the text. */
  beginIndex: number;
  endIndex: number;
  /** Its ink; an end index of points is that of the last point. */
  drawingSegments: {strokeIndex: number; beginPointIndex: number; endPointIndex: number}[];
}

export interface HandwritingPrediction {
  text: string;
  /** Of the likeliest text. */
  segmentationResult?: HandwritingSegment[];
}

export class HandwritingDrawing {
  addStroke(stroke: HandwritingStroke): void;
  removeStroke(stroke: HandwritingStroke): void;
  getStrokes(): HandwritingStroke[];
  clear(): void;
  getPrediction(): Promise<HandwritingPrediction[]>;
}

export class HandwritingRecognizer {
  /** Of the hints, the number of alternatives is taken. */
  startDrawing(hints?: {alternatives?: number}): HandwritingDrawing;
  /** Free the recognizer's memory. */
  finish(): void;
}

/** A point: x, y (growing downwards), perhaps the time in ms (NaN if unknown), the pressure (0 to 1). */
export type Point = readonly number[];
export type Stroke = readonly Point[];
/** Where a word begins and ends in a text. */
export type Place = readonly [start: number, end: number];
/** A file: its URL, a Blob (such as a File), or its bytes. */
export type Source = string | URL | Blob | ArrayBuffer | Uint8Array;

/** What goes wrong: a message, and a code for programs. */
export class HandwritingError extends Error {
  readonly code: "stopped" | "no_memory" | "bad_file" | "bad_ink" | "bad_text" | "bad_argument" |
    "too_large" | "not_loaded" | "disposed";
}

export interface Word {
  text: string;
  /** The network's probability; it is often too high. */
  probability: number;
  /** The numbers of the word's strokes among those that were read; words may share one. */
  strokes: number[];
  /** Other texts that the strokes may say, the likeliest first. */
  alternatives: string[];
}

/** A character of a row's text. */
export interface Character {
  /** Where it is in the text. */
  place: Place;
  probability: number;
  /** The numbers of its strokes among those that were read. */
  strokes: number[];
  /** Its first and its last point: the number of a stroke, and of a point of the stroke. */
  first: [stroke: number, point: number];
  last: [stroke: number, point: number];
}

export interface Row {
  text: string;
  /** Other texts that the row may say, the likeliest first. */
  alternatives: string[];
  characters: Character[];
  words: Word[];
  /** The words that are probably misread. */
  doubtful: Place[];
  /** Whether most characters are doubtful. */
  isDrawing: boolean;
  /** The number of the row's first stroke; the others follow. */
  first: number;
  strokes: Stroke[];
}

export interface ReadOptions {
  /** Ends the reading, between two rows, with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each row with the fraction of the rows that is read. */
  onProgress?: (fraction: number) => void;
}

export interface Reader {
  readonly name: string;
  readonly licence: string;
  /** The characters that the network reads. Another one is read as one of these that looks like it. */
  readonly alphabet: string;
  /** Read a page of strokes, in the order in which they were written: at most 1,000,000 points and
   * 20,000 strokes. With options other work goes on between the rows. */
  read(strokes: readonly Stroke[]): Row[];
  read(strokes: readonly Stroke[], options: ReadOptions): Promise<Row[]>;
  /** The text of strokes that are one row. */
  readLine(strokes: readonly Stroke[]): string;
  /** Free the network's memory. */
  dispose(): void;
}

/** Load a reader, by default the one of this package. */
export function loadReader(network?: Source, engine?: Source): Promise<Reader>;

/** A text and its strokes. */
export interface Line {
  text: string;
  strokes: readonly Stroke[];
}

/** A hand: what `handOf` returns, or a line as the same writer wrote it. */
export type Hand = Line | readonly number[];

export interface Ink {
  /** Positions in x-heights, from the line's left edge and its baseline. Before a line is written
   * again there are no strokes. */
  strokes: [x: number, y: number][][];
  /** Of the last ink: the words that the reader does not read; none without a reader. */
  doubtful?: Place[];
  /** Of the last ink: whether the whole text is written. */
  ended?: boolean;
  /** Of the last ink: offset in x, offset in y and end of stroke of each point, as drawn. */
  raw?: Float32Array;
}

export interface WriteOptions {
  /** One of `styles`, or a hand; by default each seed has another hand. */
  style?: string | Hand | null;
  /** An integer from 0 to 4294967295; the same seed writes the same line (default: 0). */
  seed?: number;
  /** From 0 on: more is more legible and less varied (default: 0.75, of joined styles 1). */
  bias?: number;
  /** Ends the line with the signal's reason. */
  signal?: AbortSignal;
  /** Proofreads the line, which is written again, at most five times, until it is read right: mostly
   * a text with characters beyond ASCII, which the open reader does not know. */
  reader?: Reader;
}

export interface Writer {
  readonly name: string;
  readonly licence: string;
  readonly alphabet: string;
  /** Texts in place of characters that the alphabet lacks: 1/2 for ½. `write` replaces nothing. */
  readonly replacements: Readonly<Record<string, string>>;
  /** Most characters of a line: 64 of the open writer. */
  readonly longest: number;
  readonly bias: number;
  /** The default bias of styles; all other hands have `bias`. */
  readonly biases: Readonly<Record<string, number>>;
  readonly styles: string[];
  /** Whether `ownHand` returns hands. */
  readonly hasOwnHands: boolean;
  /** Write one line of text. Yields the ink as it grows; lines may be written at once. */
  write(text: string, options?: WriteOptions): AsyncGenerator<Ink, void, void>;
  /** The hand of lines of one's own, as a style. The open writer goes on after the first line whose
   * characters it knows. */
  handOf(lines: readonly Line[]): Promise<Hand>;
  /** The hand that a seed has without a style; null if only the drawn line shows it. */
  ownHand(seed: number): Hand | null;
  /** Free the network's memory; lines that are not complete end with an Error. */
  dispose(): void;
}

/** Load a writer, by default the one of this package. `descriptor` is the network that describes
 * hands, for writers that need it. */
export function loadWriter(
  network?: Source, engine?: Source, descriptor?: Source): Promise<Writer>;

/** The strokes of rows that a reader has read here, level, even and evenly spaced: positions [x, y], in the order of the rows.
 * A row that may be a drawing stays as it is. */
export function neat(
  rows: readonly Pick<Row, "strokes" | "words" | "first" | "isDrawing">[]): Stroke[];

/** The strokes of an InkML file or its text. Points have times and pressures if the file has them. */
export function fromInkml(source: string | File | Blob): Promise<Stroke[]>;

/** InkML of rows; times and pressures are saved if every point has them. `units`, such as "mm", are
 * those of the positions. */
export function toInkml(rows: readonly Line[], units?: string): string;

import type {Ink, ReadOptions, Row, Stroke, WriteOptions} from "./index.js";

/** A network that is loaded in the worker, without its methods. */
export interface Loaded {
  readonly name: string;
  readonly licence: string;
  readonly alphabet: string;
}

export interface WorkerOptions extends Omit<WriteOptions, "reader"> {
  /** Loads the reader, which proofreads the line. A reader that is loaded always does. */
  proofread?: boolean;
}

/** Writes and reads in a worker of its own, so that the page goes on meanwhile. If the worker cannot
 * start or breaks down, all calls end with a HandwritingError "not_loaded": make a new one. */
export class HandwritingWorker {
  /** The files of networks, Blobs or bytes; by default those of the package. */
  constructor(networks?: {reader?: Blob | BufferSource; writer?: Blob | BufferSource});
  /** Load a network before its first use. After a failure the next call tries again. */
  load(role: "reader" | "writer"): Promise<Loaded>;
  /** Read a page of strokes, in the order in which they were written. */
  read(strokes: readonly Stroke[], options?: ReadOptions): Promise<Row[]>;
  /** The strokes of a page, neater. */
  neat(strokes: readonly Stroke[]): Promise<Stroke[]>;
  /** Write one line of text. Yields the ink as it grows. */
  write(text: string, options?: WorkerOptions): AsyncGenerator<Ink, void, void>;
  /** End the worker at once; open calls and later ones end with a HandwritingError "stopped". */
  stop(): Promise<void>;
}

// The package in a worker of its own, of a page or of Node.js. See README.md.

import {Client} from "./client.js";

/** Writes and reads in a worker, so that the page goes on meanwhile. */
export class HandwritingWorker {
  #client;
  #networks;
  #failure = null; // an Error if the worker cannot start or has stopped
  #loading = {}; // promises of networks by role

  /** `networks` has the files of networks, {reader, writer}: Blobs or bytes; by default those of the
   * package. */
  constructor(networks = {}) {
    this.#networks = networks;
    this.#client = new Client(Promise.resolve(), (error) => { this.#failure = error; });
  }

  /** Load a network, "reader" or "writer", before its first use. Returns what it has. */
  async load(role) {
    if (this.#failure) throw this.#failure;
    const file = this.#networks[role], source = file ? {file: new Blob([file])}
      : {name: `networks/open_${role}.bin`};
    return this.#loading[role] ??= this.#client.ask("load", {role, ...source});
  }

  /** Read a page of strokes. `signal` ends it; `onProgress` gets the fraction that is read. */
  async read(strokes, options) {
    await this.load("reader");
    return this.#client.ask("read", {strokes}, options);
  }

  /** The strokes of a page, neater. */
  async neat(strokes) {
    await this.load("reader");
    return this.#client.ask("neater", {strokes});
  }

  /** Write a line; the options are those of `Writer.write`, with `proofread` in place of a reader,
   * which is then loaded; a loaded reader always proofreads. */
  async *write(text, {signal, proofread, ...options} = {}) {
    await Promise.all([this.load("writer"), proofread && this.load("reader")]);
    for await (const ink of this.#client.write({text, ...options})) {
      signal?.throwIfAborted();
      yield ink;
    }
  }

  /** End the worker at once; what was asked for is not answered. */
  stop() { return this.#client.stop(); }
}

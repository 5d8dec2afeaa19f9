// The package in a worker of its own, of a page or of Node.js. See README.md.

import {check, checkStrokes, checkText, need, optionsOf} from "./checks.js";
import {Client} from "./client.js";

const ROLES = ["reader", "writer"];
const ADVICE = "Make a new HandwritingWorker; if that ends so too, look whether worker.js and the " +
  "other files of the package lie beside package_worker.js.";
const READ_OPTIONS = ["signal", "onProgress"], WRITE_OPTIONS =
  ["style", "seed", "bias", "signal", "proofread"];

const isFile = (file) => file instanceof Blob || new Uint8Array(file.buffer ?? file).length > 0;

/** Writes and reads in a worker, so that the page goes on meanwhile. */
export class HandwritingWorker {
  #client;
  #networks;
  #loading = {}; // promises of networks by role

  /** `networks` has the files of networks, {reader, writer}: Blobs or bytes; by default those of the
   * package. */
  constructor(networks = {}) {
    check("networks", networks, "an object {reader, writer}", () =>
      typeof networks === "object" && (this.#networks = {...networks}));
    for (const [role, file] of Object.entries(this.#networks)) {
      need(ROLES.includes(role), `There is no network “${role}”; there are ${ROLES.join(", ")}.`);
      check(`networks.${role}`, file, "a Blob or bytes", () => (file ?? null) === null || isFile(file));
    }
    this.#client = new Client(Promise.resolve(), () => {}, ADVICE);
  }

  /** Load a network, "reader" or "writer", before its first use. Returns what it has. */
  async load(role) {
    check("role", role, "“reader” or “writer”", () => ROLES.includes(role));
    const file = this.#networks[role], source = file ? {file: new Blob([file])}
      : {name: `networks/open_${role}.bin`};
    const loading = this.#loading[role] ??= this.#client.ask("load", {role, ...source});
    loading.catch(() => { delete this.#loading[role]; }); // the next call tries again
    return loading;
  }

  /** Read a page of strokes. `signal` ends it; `onProgress` gets the fraction that is read. */
  async read(strokes, options = {}) {
    checkStrokes(strokes);
    const checked = optionsOf(options, READ_OPTIONS);
    await this.load("reader");
    return this.#client.ask("read", {strokes}, checked);
  }

  /** The strokes of a page, neater. */
  async neat(strokes) {
    checkStrokes(strokes);
    await this.load("reader");
    return this.#client.ask("neater", {strokes});
  }

  /** Write a line; the options are those of `Writer.write`, with `proofread` in place of a reader,
   * which is then loaded; a loaded reader always proofreads. */
  async *write(text, options = {}) {
    checkText(text);
    const {signal, proofread, ...others} = optionsOf(options, WRITE_OPTIONS);
    await Promise.all([this.load("writer"), proofread && this.load("reader")]);
    for await (const ink of this.#client.write({text, ...others})) {
      signal?.throwIfAborted();
      yield ink;
    }
  }

  /** End the worker at once; open calls and later ones end with an Error. */
  async stop() { await this.#client.stop(); }
}

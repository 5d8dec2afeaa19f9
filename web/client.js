// The worker that writes and reads, as promises.

const FINAL = new Set(["loaded", "done", "text", "rows", "look", "cancelled", "error"]);

export class Client {
  #worker = null;
  #waiting = new Map();
  #loads = {};
  #last = 0;

  /** Networks are loaded after `ready`, a promise. */
  constructor(ready) { this.ready = ready; }

  /** Ask for something. `parts` has functions for the answers before the last one, by their types.
   * An aborted `signal` cancels it: the promise is then rejected with an AbortError. */
  request(type, data, {parts = {}, signal} = {}) {
    this.#worker ??= this.#started();
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {resolve, reject, parts});
      this.#worker.postMessage({...data, id, type});
      signal?.addEventListener("abort", () =>
        this.#waiting.has(id) && this.#worker.postMessage({id: 0, type: "cancel", target: id}));
    });
  }

  /** Load the network of a role, once; a file's `bytes` replace it. Returns its header. */
  load(role, progress, file) {
    if (!this.#loads[role] || file) {
      const source = file ?? {url: new URL(`networks/${role}.bin`, document.baseURI).href};
      const loading = this.ready.then(() =>
        this.request("load", {role, ...source}, {parts: {progress}}));
      const before = this.#loads[role];
      this.#loads[role] = loading.then(({header}) => header);
      this.#loads[role].catch(() => { this.#loads[role] = file && before; });
    }
    return this.#loads[role];
  }

  #started() {
    const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
    worker.onmessage = ({data}) => {
      const waiting = this.#waiting.get(data.id);
      if (!waiting) return;
      if (!FINAL.has(data.type)) return waiting.parts[data.type]?.(data);
      this.#waiting.delete(data.id);
      if (data.type === "error") waiting.reject(new Error(data.message));
      else if (data.type === "cancelled") waiting.reject(new DOMException("", "AbortError"));
      else waiting.resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      [this.#worker, this.#loads] = [null, {}];
      const error = new Error("What writes and reads here could not be started or has stopped. " +
        "Reload the page; nothing is lost.");
      for (const {reject} of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    return worker;
  }
}

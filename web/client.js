// The worker that writes and reads, as promises.

export class Client {
  #worker = null;
  #waiting = new Map();
  #loads = {};
  #last = 0;

  /** Networks are loaded after `ready`, a promise; `progress` hears how far. */
  constructor(ready, progress) { Object.assign(this, {ready, progress}); }

  /** Ask for something. `parts` has functions for the answers before the last one, by their types.
   * An aborted `signal` cancels it: the promise is then rejected with an AbortError. */
  request(type, data, {parts = {}, signal} = {}) {
    const id = ++this.#last, worker = this.#worker ??= this.#started();
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      this.#waiting.set(id, {resolve, reject, parts});
      worker.postMessage({...data, id, type});
      signal?.addEventListener("abort", () => worker.postMessage({type: "cancel", target: id}));
    });
  }

  /** Load the network of a role, once; a file {bytes, name} replaces it. Returns its header. */
  load(role, file) {
    const before = this.#loads[role], source = file ?? {url: `networks/${role}.bin`};
    if (before && !file) return before;
    const parts = {progress: this.progress};
    const loading = this.ready.then(() => this.request("load", {role, ...source}, {parts}));
    this.#loads[role] = loading.then(({header}) => header);
    this.#loads[role].catch(() => { this.#loads[role] = before; });
    return this.#loads[role];
  }

  #started() {
    const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
    worker.onmessage = ({data}) => {
      const {resolve, reject, parts} = this.#waiting.get(data.id);
      if (parts[data.type]) return parts[data.type](data);
      this.#waiting.delete(data.id);
      if (data.type === "error") reject(new Error(data.message));
      else if (data.type === "cancelled") reject(new DOMException("", "AbortError"));
      else resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      const error = new Error("What writes and reads here could not be started or has stopped. " +
        "Reload the page; nothing is lost.");
      for (const {reject} of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      [this.#worker, this.#loads] = [null, {}];
    };
    return worker;
  }
}

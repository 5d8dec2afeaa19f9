// Asks a worker, which writes and reads, and returns promises of its answers.

import {HandwritingError} from "./checks.js";

/** A new worker of a page or of Node.js, as {post, end}: functions that send a message and a port,
 * and that end the worker. `failed` gets an Error if the worker cannot start or breaks down. */
async function startWorker(failed) {
  if (globalThis.Worker) { // as bundlers look for it
    const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
    worker.onerror = (event) => {
      event.preventDefault();
      failed(new HandwritingError("The worker that writes and reads could not be started or has " +
        "stopped. Reload the page; nothing is lost.", "not_loaded"));
    };
    return {post: (message, port) => worker.postMessage(message, [port]),
      end: () => worker.terminate()};
  }
  const threads = "node:worker_threads"; // bundlers for browsers do not look for a variable
  const {Worker: Thread} = await import(/* webpackIgnore: true */ /* @vite-ignore */ threads);
  const worker = new Thread(new URL("worker.js", import.meta.url));
  worker.on("error", failed);
  return {post: (message, port) => worker.postMessage({...message, port}, [port]),
    end: () => worker.terminate()};
}

export class Client {
  #worker;
  #lines = 0; // number of lines that were begun

  /** The worker starts when the promise `ready` is fulfilled. `failed` gets an Error if the worker
   * cannot start or breaks down. */
  constructor(ready, failed) {
    this.#worker = ready.then(() => startWorker(failed));
    this.#worker.catch(failed);
  }

  /** Return the worker's answer to one of its `tasks`. `signal` ends the work; `onProgress` gets the
   * fraction that is done. */
  async ask(task, request, {signal, onProgress} = {}) {
    const worker = await this.#worker, {port1, port2} = new MessageChannel();
    signal?.throwIfAborted();
    worker.post({task, request, tellsProgress: Boolean(onProgress)}, port2);
    return new Promise((resolve, reject) => {
      const abort = () => {
        port1.postMessage("stop");
        port1.close();
        reject(signal.reason);
      };
      signal?.addEventListener("abort", abort);
      port1.onmessage = ({data: {answer, error, code, progress}}) => {
        if (progress !== undefined) return onProgress?.(progress);
        port1.close();
        signal?.removeEventListener("abort", abort);
        if (error) reject(new HandwritingError(error, code));
        else resolve(answer);
      };
    });
  }

  /** End the worker at once; open requests are not answered. */
  async stop() { (await this.#worker).end(); }

  /** Write a line. Yields {strokes} as the line grows, without strokes before a new try. The last
   * answer is {strokes, doubtful}. The line stops when the iteration stops. */
  async *write(options) {
    const line = this.#lines++;
    try {
      for (let part = {}; !part.doubtful; yield part)
        part = await this.ask("write", {line, ...options});
    } finally {
      this.ask("stop", {line});
    }
  }
}

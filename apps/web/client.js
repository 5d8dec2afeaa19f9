// Asks a worker, which writes and reads, and returns promises of its answers.

import {HandwritingError} from "./checks.js";

/** A new worker of a page or of Node.js, as {post, end}: functions that send a message and a port,
 * and that end the worker. `failed` gets the reason if the worker cannot start or breaks down. */
async function startWorker(failed) {
  if (globalThis.Worker) { // as bundlers look for it
    const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
    worker.onerror = (event) => {
      event.preventDefault();
      failed(event.message || "a file of its script is missing");
    };
    return {post: (message, port) => worker.postMessage(message, [port]),
      end: () => worker.terminate()};
  }
  const threads = "node:worker_threads"; // bundlers for browsers do not look for a variable
  const {Worker: Thread} = await import(/* webpackIgnore: true */ /* @vite-ignore */ threads);
  const worker = new Thread(new URL("worker.js", import.meta.url));
  worker.on("error", ({message}) => failed(message));
  worker.on("exit", (code) => failed(`exit code ${code}`));
  return {post: (message, port) => worker.postMessage({...message, port}, [port]),
    end: () => worker.terminate()};
}

export class Client {
  #worker;
  #lines = 0; // number of lines that were begun
  #failure = null; // the Error of all requests, if there is no worker any more
  #refusals = new Set(); // functions that end the open requests with an Error

  /** The worker starts when the promise `ready` is fulfilled. `failed` gets an Error if the worker
   * cannot start or breaks down; `advice` says what to do then. */
  constructor(ready, failed, advice = "Reload the page; nothing is lost.") {
    const fail = (reason) => {
      if (this.#failure) return; // as when a worker that was stopped exits
      this.#end("The worker that writes and reads could not be started or has stopped " +
        `(${reason}). ${advice}`, "not_loaded");
      failed(this.#failure);
    };
    this.#worker = ready.then(() => startWorker(fail));
    this.#worker.catch(({message}) => fail(message));
  }

  /** End the open requests and all later ones with an Error, and the worker if it runs. */
  #end(message, code) {
    this.#failure ??= new HandwritingError(message, code);
    for (const refuse of this.#refusals) refuse(this.#failure);
    return this.#worker.then(({end}) => end(), () => {});
  }

  /** Return the worker's answer to one of its `tasks`. `signal` ends the work; `onProgress` gets the
   * fraction that is done. */
  async ask(task, request, {signal, onProgress} = {}) {
    const worker = await this.#worker.catch(() => null), {port1, port2} = new MessageChannel();
    signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      const settle = (act, value) => {
        port1.close();
        signal?.removeEventListener("abort", abort);
        this.#refusals.delete(refuse);
        act(value);
      };
      const refuse = (error) => settle(reject, error), stop = (error) => {
        port1.postMessage("stop");
        refuse(error);
      };
      const abort = () => stop(signal.reason);
      signal?.addEventListener("abort", abort);
      this.#refusals.add(refuse);
      port1.onmessage = ({data: {answer, error, code, progress}}) => {
        if (error !== undefined) return refuse(new HandwritingError(error, code));
        if (progress === undefined) return settle(resolve, answer);
        try {
          onProgress(progress);
        } catch (error) {
          stop(error);
        }
      };
      try {
        worker.post({task, request, tellsProgress: Boolean(onProgress)}, port2);
      } catch ({message}) {
        refuse(new HandwritingError(`What was given cannot be sent to the worker (${message}): give ` +
          "lists, numbers and strings alone.", "bad_argument"));
      }
    });
  }

  /** End the worker at once; open requests and later ones end with an Error. */
  stop() { return this.#end("The worker was stopped: make a new one.", "stopped"); }

  /** Write a line. Yields {strokes} as the line grows, without strokes before a new try. The last
   * answer is {strokes, doubtful}. The line stops when the iteration stops. */
  async *write(options) {
    const line = this.#lines++;
    try {
      for (let part = {}; !part.doubtful; yield part)
        part = await this.ask("write", {line, ...options});
    } finally {
      this.ask("stop", {line}).catch(() => {}); // a worker that has ended has no line
    }
  }
}

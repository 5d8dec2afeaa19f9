// The worker that writes and reads, as promises.

export class Client {
  #worker;
  #line = Promise.resolve(); // fulfilled when no line is being written

  /** The worker starts after the promise `ready`; `failed` gets an Error if the worker fails. */
  constructor(ready, failed) {
    this.#worker = ready.then(() => {
      const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
      worker.onerror = (event) => {
        event.preventDefault();
        failed(new Error("What writes and reads here could not be started or has stopped. " +
          "Reload the page; nothing is lost."));
      };
      return worker;
    });
  }

  /** Return the worker's answer to one of its `tasks`. */
  async ask(task, request) {
    const worker = await this.#worker, {port1, port2} = new MessageChannel();
    worker.postMessage({task, request}, [port2]);
    return new Promise((resolve, reject) => {
      port1.onmessage = ({data: {answer, error}}) => {
        port1.close();
        if (error) reject(new Error(error));
        else resolve(answer);
      };
    });
  }

  /** End the worker at once; open requests are not answered. */
  async stop() { (await this.#worker).terminate(); }

  /** Write a line after the lines that were begun before. Yields {ink} as the line grows; the ink
   * is empty before a new try, and the last ink comes with {doubtful}. The line stops when the
   * iteration stops. */
  async *write(options) {
    const previous = this.#line, {promise, resolve} = Promise.withResolvers();
    this.#line = promise;
    await previous;
    try {
      await this.ask("begin", options);
      for (let part = {}; !part.doubtful; yield part) part = await this.ask("goOn");
    } finally {
      resolve();
    }
  }
}

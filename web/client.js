// Asks the worker, which writes and reads, and returns promises of its answers.

export class Client {
  #worker;
  #line = Promise.resolve(); // fulfilled when the last line is written

  /** The worker starts when the promise `ready` is fulfilled. `failed` gets an Error if the worker
   * cannot start or breaks down. */
  constructor(ready, failed) {
    this.#worker = ready.then(() => {
      const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
      worker.onerror = (event) => {
        event.preventDefault();
        failed(new Error("The worker that writes and reads could not be started or has stopped. " +
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

  /** Write a line, after all lines that were requested before are written. Yields {ink} as the line
   * grows; the ink is empty before a new try. The last answer is {ink, doubtful}. The line stops
   * when the iteration stops. */
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

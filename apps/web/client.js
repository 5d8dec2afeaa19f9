// Asks the worker, which writes and reads, and returns promises of its answers.

export class Client {
  #worker;
  #lines = 0; // number of lines that were begun

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

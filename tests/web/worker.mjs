// Runs the worker of the page in Node: a list of requests as JSON on standard input; on output all
// answers, those of each request in a list; `turn` counts them. {cancelAt: n} cancels a request
// after so many answers.

import { readFileSync } from "node:fs";

const { web, requests } = JSON.parse(readFileSync(0, "utf8"));
const answers = requests.map(() => []);
const last = new Set(["loaded", "done", "text", "rows", "cancelled", "error"]);
let [open, turn] = [requests.length, 0];

globalThis.fetch = async (url) => {
  try {
    return new Response(readFileSync(new URL(url)));
  } catch {
    return new Response(null, { status: 404 });
  }
};
globalThis.self = {
  postMessage(message) {
    const found = answers[message.id];
    turn += 1;
    found.push({ ...message, turn, ...(message.ink && { ink: [...message.ink] }) });
    if (found.length === requests[message.id].cancelAt)
      self.onmessage({ data: { id: -1, type: "cancel", target: message.id } });
    if (last.has(message.type)) open -= 1;
    if (!open) process.stdout.write(JSON.stringify(answers), () => process.exit());
  },
};
await import(new URL("worker.js", web));
requests.forEach((request, id) => self.onmessage({ data: { id, ...request } }));

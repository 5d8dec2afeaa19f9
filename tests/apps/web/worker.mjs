// Runs the worker of the page in Node: a list of requests as JSON on standard input; on output the
// answers to each, in a list. Of a line all pieces are asked for, or the first {pieces: n}; `line`
// is by default the number of the request. The style "asked" is the hand that was asked for before.

import { readFileSync } from "node:fs";

const { web, requests } = JSON.parse(readFileSync(0, "utf8"));

globalThis.self = {};
await import(new URL("worker.js", web));

const ask = (task, request) => new Promise((resolve) =>
  self.onmessage({ data: { task, request }, ports: [{ postMessage: resolve }] }));

const answers = [];
let hand = null;
for (const [line, { task, pieces = Infinity, ...request }] of requests.entries()) {
  if (request.style === "asked") request.style = hand;
  const replies = [];
  do replies.push(await ask(task, { line, ...request }));
  while (task === "write" && replies.length < pieces && !replies.at(-1).error &&
    !replies.at(-1).answer.doubtful);
  if (task === "hand") hand = replies[0].answer;
  answers.push(replies.map(({ error, answer }) => (error ? { error } : answer)));
}
process.stdout.write(JSON.stringify(answers), () => process.exit());

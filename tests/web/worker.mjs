// Runs the worker of the page in Node: a list of requests as JSON on standard input; on output the
// answers to each, in a list. Of a line that is begun all pieces are asked for, or the first
// {pieces: n}; a {hand: "asked"} is the hand that was asked for before.

import { readFileSync } from "node:fs";

const { web, requests } = JSON.parse(readFileSync(0, "utf8"));

globalThis.fetch = async (url) => {
  try {
    return new Response(readFileSync(new URL(url)));
  } catch {
    return new Response(null, { status: 404 });
  }
};
globalThis.self = {};
await import(new URL("worker.js", web));

const ask = (task, request) => new Promise((resolve) =>
  self.onmessage({ data: { task, request }, ports: [{ postMessage: resolve }] }));

const answers = [];
let hand = null;
for (const { task, pieces = Infinity, ...request } of requests) {
  if (request.hand === "asked") request.hand = hand;
  const replies = [await ask(task, request)];
  if (task === "begin" && !replies[0].error) {
    replies.pop();
    do replies.push(await ask("goOn"));
    while (replies.length < pieces && !replies.at(-1).error && !replies.at(-1).answer.doubtful);
  }
  if (task === "hand") hand = replies[0].answer;
  answers.push(replies.map(({ error, answer }) =>
    error ? { error } : answer?.ink ? { ...answer, ink: [...answer.ink] } : answer));
}
process.stdout.write(JSON.stringify(answers), () => process.exit());

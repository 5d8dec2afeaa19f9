// Reads rows with the JavaScript reader and with tesseract.js, in one process: the request of
// tesseract.py as JSON on standard input, what was read and how long it took on output.

import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";
import {loadReader} from "../apps/web/index.js";

const {network, data, rows} = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(new URL("../apps/plugins/package.json", import.meta.url));
const {createWorker} = require("tesseract.js");

/** The answer of a call, and the ms of processor that it took in all threads. */
async function timed(call) {
  const start = process.cpuUsage(), answer = await call(), {user, system} = process.cpuUsage(start);
  return [answer, (user + system) / 1000];
}

const [reader, loadReaderMs] = await timed(() => loadReader(pathToFileURL(network)));
const [worker, loadWorkerMs] = await timed(async () => {
  const created = await createWorker("eng", 1, {langPath: data, cacheMethod: "none"});
  // A picture is a single row.
  await created.setParameters({tessedit_pageseg_mode: "7"});
  return created;
});
const programs = {
  reader: {load: loadReaderMs, read: async ({strokes}) => reader.readLine(strokes)},
  tesseract: {load: loadWorkerMs, read: async ({picture}) =>
    (await worker.recognize(picture)).data.text.trim().replace(/\s+/g, " ")},
};
const answers = {};
for (const [name, {load, read}] of Object.entries(programs)) {
  await read(rows[0]); // once before it counts, as compilers optimise what runs
  answers[name] = {load, rows: []};
}
for (const row of rows)
  for (const [name, {read}] of Object.entries(programs))
    answers[name].rows.push(await timed(() => read(row)));
await worker.terminate();
process.stdout.write(JSON.stringify(answers));

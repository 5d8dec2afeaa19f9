// The worker of the page: loads networks, and writes and reads with them. Each request has an `id`
// that its answers carry; see `tasks` for the requests. They are worked on one at a time, and
// reading goes before writing.

import {UserError} from "./engine.js";
import {rowStarts} from "./ink.js";
import {writeLine} from "./line.js";
import {parse, Reader, Writer} from "./networks.js";
import {wordsOf} from "./text.js";

const KINDS = {writer: Writer, reader: Reader};
const SURE = 0.6; // probability of a character below which it is doubtful (assumed)

const engine = fetchBytes("engine.wasm").then((bytes) => WebAssembly.compile(bytes));
const networks = {}, queue = [], cancelled = new Set();
let busy = false, styles = null;

async function fetchBytes(url, progress = () => {}) {
  const answer = await fetch(new URL(url, import.meta.url)).catch(() => null);
  if (!answer?.ok)
    throw new UserError(`${url} could not be loaded (${answer?.status ?? "no network"}).`);
  const total = Number(answer.headers.get("Content-Length")), chunks = [];
  let loaded = 0;
  for (const body = answer.body.getReader(); ;) {
    const {done, value} = await body.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
    progress(loaded += value.length, total);
  }
}

function network(role) {
  if (!networks[role]) throw new UserError(`The ${role} is not loaded yet.`);
  return networks[role];
}

/** The style of a name: of the network itself, or a shipped one; a learned hand is its own. */
async function styleOf(name) {
  const own = network("writer").header.styles ?? {};
  if (!name) return own.hand ?? null;
  styles ??= JSON.parse(new TextDecoder().decode(await fetchBytes("networks/styles.json")));
  const style = own[name] ?? styles[name];
  if (!style) throw new UserError(`There is no style ${name}.`);
  return style;
}

/** Each takes a request and what posts an answer, and returns the last answer. */
const tasks = {
  async load({role, url, bytes, name = url?.split("/").pop()}, answer) {
    const progress = (loaded, total) => answer({type: "progress", loaded, total});
    const file = await parse(bytes ? new Uint8Array(bytes) : await fetchBytes(url, progress), name);
    if (file.header.role !== role)
      throw new UserError(`${name} is a ${file.header.role}, and a ${role} is needed.`);
    networks[role] = new KINDS[role](await engine, file);
    return {type: "loaded", header: file.header};
  },

  async write({id, text, options}, answer) {
    const {primer, proofread} = options, style = primer ? null : await styleOf(options.style);
    const reader = (proofread && networks.reader) || null; // which may still be on its way
    const line = writeLine(network("writer"), reader, text, {...options, style});
    let turn = line.next();
    for (; !turn.done; turn = line.next()) {
      answer(turn.value);
      await nextTask();
      if (cancelled.has(id)) return {type: "cancelled"};
    }
    return {type: "done", ...turn.value};
  },

  read({strokes}) {
    const characters = network("reader").read(strokes);
    const text = characters.map(({character}) => character).join("");
    const unsure = (span) => characters.slice(...span).some(({probability}) => probability < SURE);
    return {type: "text", text, doubtful: wordsOf(text).filter(unsure)};
  },

  rows: ({strokes}) => ({type: "rows", starts: rowStarts(strokes)}),
};

/** Let messages in that have arrived meanwhile. */
const {port1, port2} = new MessageChannel();
function nextTask() {
  return new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });
}

async function work() {
  busy = true;
  while (queue.length) {
    const quick = queue.findIndex(({type}) => type !== "write");
    const [request] = queue.splice(Math.max(quick, 0), 1);
    const answer = (message) => self.postMessage({id: request.id, ...message});
    try {
      if (cancelled.has(request.id)) answer({type: "cancelled"});
      else answer(await tasks[request.type](request, answer));
    } catch (error) {
      if (!(error instanceof UserError)) console.error(error);
      const message = error instanceof UserError ? error.message : `That failed: ${error.message}.`;
      answer({type: "error", message});
    }
    cancelled.delete(request.id);
    await nextTask();
  }
  busy = false;
}

self.onmessage = ({data}) => {
  if (data.type === "cancel") return cancelled.add(data.target);
  queue.push(data);
  if (!busy) work();
};

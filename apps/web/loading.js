// Loads the engine and the files of networks.

import {HandwritingError, check, fits, need} from "./checks.js";
import {Engine} from "./engine.js";

let compiling = null; // a promise of the compiled engine of this package
let latest = null; // the compiled engine that was used last

/** The bytes of a Blob or of a buffer. */
async function bytesIn(source, name) {
  let bytes = null;
  try {
    const content = await (source.arrayBuffer?.() ?? source);
    if (ArrayBuffer.isView(content)) {
      const {buffer, byteOffset, byteLength} = content;
      bytes = new Uint8Array(buffer, byteOffset, byteLength);
    } else if (Number.isInteger(content.byteLength)) bytes = new Uint8Array(content);
  } catch { /* Neither: or a buffer that was transferred, or a file that cannot be read. */ }
  check(name, source, "a URL, a Blob that can be read, or bytes", () => bytes);
  return bytes;
}

const isAddress = (source) => typeof source === "string" ||
  fits((value) => value instanceof URL, source);

/** The bytes of a file: its URL, a Blob or the bytes themselves; `name` is that of the argument. */
async function bytesOf(source, name) {
  if (!isAddress(source)) return bytesIn(source, name);
  const failed = (reason) =>
    new HandwritingError(`${source} could not be loaded (${reason}).`, "not_loaded");
  if (`${source}`.startsWith("file:")) { // Node.js, whose `fetch` has no files
    const files = "node:fs/promises"; // bundlers for browsers do not look for a variable
    return import(/* webpackIgnore: true */ /* @vite-ignore */ files)
      .then(async ({readFile}) => new Uint8Array(await readFile(new URL(source)))) // no Buffer
      .catch(({code}) => { throw failed(code ?? "no file can be read here"); });
  }
  // Without a page there is nothing that a path could be relative to.
  if (!globalThis.location && !/^[a-z][\w+.-]+:/i.test(source))
    throw failed("it is no URL: give a URL, a Blob or bytes");
  const answer = await fetch(source).catch(() => null);
  if (!answer?.ok) throw failed(answer?.status ?? "there is no answer");
  return new Uint8Array(await answer.arrayBuffer());
}

async function compile(source) {
  const bytes = await bytesOf(source, "engine");
  const module = await WebAssembly.compile(bytes).catch(({message}) => {
    throw new HandwritingError(
      `The engine cannot be compiled: give the package's engine.wasm (${message}).`, "bad_file");
  });
  need(WebAssembly.Module.exports(module).some(({name}) => name === "hw_read_row"),
    "The engine is another program: give the package's engine.wasm.", "bad_file");
  return module;
}

function compiled(source) {
  if ((source ?? null) !== null) return compile(source);
  compiling ??= compile(new URL("engine.wasm", import.meta.url));
  compiling.catch(() => { compiling = null; }); // the next call tries again
  return compiling;
}

/** An engine with a network that has a role: {engine, info}. */
export async function loaded(role, source, engineSource) {
  const name = role === "descriptor" ? role : "network"; // of the argument
  const [module, bytes] = await Promise.all([compiled(engineSource), bytesOf(source, name)]);
  const title = isAddress(source) ? source : typeof source.name === "string" ? source.name
    : "The network";
  const engine = new Engine(latest = module), info = engine.open(bytes, title);
  need(info.role === role, `${title} is a ${info.role}; a ${role} is needed.`);
  return {engine, info};
}

/** An engine without a network. */
export function emptyEngine() {
  need(latest, "The engine is not loaded: load a reader or writer before.", "not_loaded");
  return new Engine(latest);
}

/** A promise that is fulfilled when other tasks of the event loop have had their turn. */
export const turn = () => new Promise((resolve) => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(null);
});

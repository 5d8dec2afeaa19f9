// The page: which part is shown, what it says, and what works without network.

import {Client} from "./client.js";
import {find} from "./dom.js";
import {startHand} from "./hand.js";
import {startRead} from "./read.js";
import {everything, keep, keepLine} from "./store.js";
import {startWrite} from "./write.js";

/** Say what went wrong, until it is closed or something else does. */
function complain(error) {
  if (error?.name === "AbortError") return;
  find("#problem p").textContent = error.message ?? String(error);
  find("#problem").hidden = false;
}

function say(text) { find("#status").textContent = text; }

/** Wait for what is being kept; what cannot be is said once, and stays on the page. */
let refused = false;
async function guarded(keeping) {
  try {
    await keeping;
  } catch (error) {
    const reason = error?.name === "QuotaExceededError" ? "is full" : "refuses to keep anything";
    if (!refused) complain(new Error(`The browser's storage ${reason}: what you write is here ` +
      "only until this page is closed. Save it before."));
    refused = true;
  }
}

/** What was loaded before is there without network too: networks are kept if the service worker is
 * there before they are fetched. */
async function installOffline() {
  await navigator.serviceWorker.register("sw.js");
  if (navigator.serviceWorker.controller) return;
  await Promise.race([
    new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve; }),
    new Promise((resolve) => setTimeout(resolve, 2000))]);
}

async function start() {
  const offline = installOffline().catch(() => {});
  const [kept, sentences] = await Promise.all([
    everything().catch(() => ({strokes: new Map(), lines: new Map()})),
    fetch("sentences.txt").then((answer) => answer.text()),
  ]);
  find("#static").remove();
  find("#app").hidden = false;
  find("#problem button").onclick = () => { find("#problem").hidden = true; };
  window.addEventListener("error", (event) => complain(event.error ?? event));
  window.addEventListener("unhandledrejection", (event) => {
    event.preventDefault(); // so what fails in an event of a control needs no word of its own
    complain(event.reason);
  });
  const tools = {client: new Client(offline, complain), say, complain, ...kept,
    keep: (...drawing) => guarded(keep(...drawing)), keepLine: (line) => guarded(keepLine(line))};
  const parts = {write: startWrite(tools), read: startRead(tools),
    hand: startHand(tools, sentences.split("\n").filter(Boolean))};
  let shown;
  const open = () => {
    const [name, query] = location.hash.slice(1).split("?");
    shown = Object.hasOwn(parts, name) ? name : "write";
    for (const part of Object.keys(parts)) {
      find(`#${part}`).hidden = part !== shown;
      find(`nav a[href="#${part}"]`).ariaCurrent = part === shown ? "page" : null;
    }
    parts[shown].open(query);
  };
  window.addEventListener("hashchange", open);
  window.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea") || !(event.ctrlKey || event.metaKey)) return;
    if (event.key.toLowerCase() === "z") parts[shown].pad?.step(event.shiftKey ? 1 : -1);
  });
  open();
}

start();

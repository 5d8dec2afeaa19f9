// The page: which part is shown, what it says, and what works without network.

import {Client} from "./client.js";
import {startHand} from "./hand.js";
import {startRead} from "./read.js";
import {everything, keep, keepLine} from "./store.js";
import {startWrite} from "./write.js";

const PARTS = ["write", "read", "hand"];

const find = (selector) => document.querySelector(selector);

/** Say what went wrong, until it is closed or something else does. */
function complain(error) {
  if (error?.name === "AbortError") return;
  find("#problem p").textContent = error.message ?? String(error);
  find("#problem").hidden = false;
}

function say(text) {
  find("#status").textContent = text;
}

/** Show how much of a network is here. */
function progress({loaded, total}) {
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  say(loaded < total ? `Loading ${megabytes(loaded)} of ${megabytes(total)} MB` : "");
}

/** Keep what is written; what cannot be kept is said once, and stays on the page. */
function keeper() {
  let refused = false;
  const guarded = (work) => async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      const reason = error?.name === "QuotaExceededError" ? "is full" : "refuses to keep anything";
      if (!refused) {
        complain(new Error(`The browser's storage ${reason}: what you write is here only until ` +
          "this page is closed. Save it before."));
      }
      refused = true;
    }
  };
  return {keep: guarded(keep), keepLine: guarded(keepLine)};
}

function route() {
  const [part, query] = location.hash.slice(1).split("?");
  const shown = PARTS.includes(part) ? part : PARTS[0];
  for (const name of PARTS) {
    find(`#${name}`).hidden = name !== shown;
    const link = find(`nav a[href="#${name}"]`);
    if (name === shown) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  return {shown, query};
}

/** What was loaded before is there without network too. */
async function installOffline() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register("sw.js", {type: "module"});
  if (navigator.serviceWorker.controller) return;
  const controlled = new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, {once: true});
  });
  // The networks are kept only if the service worker is there before they are fetched.
  await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, 2000))]);
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
  window.addEventListener("unhandledrejection", (event) => complain(event.reason));
  const tools = {client: new Client(offline), say, complain, progress, ...keeper(), ...kept};
  const parts = {write: startWrite(tools), read: startRead(tools),
    hand: startHand(tools, sentences.split("\n").filter(Boolean))};
  const open = () => {
    const {shown, query} = route();
    parts[shown].open(query);
  };
  window.addEventListener("hashchange", open);
  window.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea") || !(event.ctrlKey || event.metaKey)) return;
    if (event.key.toLowerCase() === "z") parts[route().shown].pad?.step(event.shiftKey ? 1 : -1);
  });
  open();
}

start();

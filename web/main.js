// The page: shows its parts and messages, and installs itself for use without network.

import {Client} from "./client.js";
import {find} from "./dom.js";
import {startHand} from "./hand.js";
import {startRead} from "./read.js";
import {claim, startStore} from "./store.js";
import {startWrite} from "./write.js";

/** Show an error, with a button for its `remedy`, [label, action], if it has a remedy. */
function complain(error) {
  if (error?.name === "AbortError") return;
  const [textContent, onclick] = error.remedy ?? [];
  find("#problem p").textContent = error.message ?? String(error);
  Object.assign(find("#remedy"), {hidden: !onclick, textContent, onclick});
  find("#problem").togglePopover(true);
}

function say(text) { find("#status").textContent = text; }

function refused(error) {
  const reason = error?.name === "QuotaExceededError" ? "is full" : "refuses to keep anything";
  complain(new Error(`The browser's storage ${reason}: what you write is here only until this ` +
    "page is closed. Save it before."));
}

/** Install the service worker, which keeps the files that are loaded through it for use without
 * network. It must control the page before the networks are fetched, so that it keeps them too. */
async function installOffline() {
  await navigator.serviceWorker.register("sw.js");
  if (navigator.serviceWorker.controller) return;
  await Promise.race([
    new Promise((resolve) => { navigator.serviceWorker.oncontrollerchange = resolve; }),
    new Promise((resolve) => setTimeout(resolve, 2000))]);
  const loaded = performance.getEntriesByType("resource").map(({name}) => name);
  Promise.allSettled(["./", ...loaded].map((url) => fetch(url))); // once more, to be kept
}

async function start() {
  const offline = installOffline().catch(() => {});
  const sentences = await fetch("sentences.txt").then((answer) => answer.text());
  find("#static").remove();
  find("#app").hidden = false;
  window.addEventListener("error", (event) => complain(event.error ?? event));
  window.addEventListener("unhandledrejection", (event) => {
    event.preventDefault(); // shown here, so that event handlers need not catch errors
    complain(event.reason);
  });
  const store = startStore(refused), startClient = () => new Client(offline, complain);
  const tools = {client: startClient(), startClient, store, say, complain};
  const parts = {write: startWrite(tools), read: startRead(tools),
    hand: startHand(tools, sentences.split("\n").filter(Boolean))};
  let shown, claims = {};
  const open = async () => {
    const [name, query] = location.hash.slice(1).split("?");
    const opened = shown = Object.hasOwn(parts, name) ? name : "write";
    for (const part of Object.keys(parts)) {
      find(`#${part}`).hidden = true;
      find(`nav a[href="#${part}"]`).ariaCurrent = part === shown ? "page" : null;
    }
    find("#elsewhere").hidden = false; // seen if the claim takes long
    if (parts[opened].pad) // `keep` reports a failure
      await (claims[opened] ??= claim(opened).then(store.reload).catch(() => {}));
    if (opened !== shown) return;
    find("#elsewhere").hidden = true;
    find(`#${shown}`).hidden = false;
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

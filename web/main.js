// The page: which part is shown, what it says, and what works without network.

import {Client} from "./client.js";
import {find} from "./dom.js";
import {startHand} from "./hand.js";
import {startRead} from "./read.js";
import {claim, startStore} from "./store.js";
import {startWrite} from "./write.js";

/** Say what went wrong, with a button for the error's `remedy`, [label, action], if it has one. */
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
  const sentences = await fetch("sentences.txt").then((answer) => answer.text());
  find("#static").remove();
  find("#app").hidden = false;
  window.addEventListener("error", (event) => complain(event.error ?? event));
  window.addEventListener("unhandledrejection", (event) => {
    event.preventDefault(); // so what fails in an event of a control needs no word of its own
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
    find("#elsewhere").hidden = false; // is seen where this takes long
    if (parts[opened].pad)
      await (claims[opened] ??= claim(opened).then(store.reload).catch(() => {})); // `keep` tells
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

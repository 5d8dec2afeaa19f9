// The page: shows its parts and messages, and keeps its files for use without a network.

import {Client} from "./client.js";
import {find} from "./dom.js";
import {startHand} from "./hand.js";
import {startRead} from "./read.js";
import {claim, startStore} from "./store.js";
import {startWrite} from "./write.js";

/** Show an error, and a button if the error has a `remedy`, [label, action]. */
function complain(error) {
  if (error?.name === "AbortError" || error?.code === "stopped") return; // as the user wanted
  const [textContent, onclick] = error.remedy ?? [];
  find("#problem p").textContent = error.message ?? String(error);
  Object.assign(find("#remedy"), {hidden: !onclick, textContent, onclick});
  find("#problem").togglePopover(true);
}

function say(text) { find("#status").textContent = text; }

/** Say, once, that the browser keeps nothing. */
function complainOfStorage(error) {
  const reason = error?.name === "QuotaExceededError" ? "is full" : "refuses to keep anything";
  complain(new Error(`The browser's storage ${reason}: what you write is here only until this ` +
    "page is closed. Save your work before you close the page."));
}

/** Install the service worker, which keeps the files of the page. The service worker must control the
 * page before the networks are loaded, or it would not keep the networks. */
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
    event.preventDefault(); // event handlers leave their errors to this function
    complain(event.reason);
  });
  const store = startStore(complainOfStorage), startClient = () => new Client(offline, complain);
  const tools = {client: startClient(), startClient, store, say, complain};
  const parts = {write: startWrite(tools), read: startRead(tools),
    hand: startHand(tools, sentences.split("\n").filter(Boolean))};
  let shown, claims = {}; // the shown part's name; by name, promises that this tab owns the part
  const open = async () => {
    const [name, query] = location.hash.slice(1).split("?");
    const part = shown = Object.hasOwn(parts, name) ? name : "write";
    for (const other of Object.keys(parts)) {
      find(`#${other}`).hidden = true;
      find(`nav a[href="#${other}"]`).ariaCurrent = other === part ? "page" : null;
    }
    find("#elsewhere").hidden = false; // an animation shows #elsewhere if the claim takes long
    if (parts[part].pad) // `store.keep` will report a failure of the storage
      await (claims[part] ??= claim(part).then(store.reload).catch(() => {}));
    if (part !== shown) return;
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

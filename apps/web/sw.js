// The service worker: keeps the files of the page, so that the page works without a network.

const PAGE = `handwriting ${registration.scope} `; // other pages of the host have other caches
const VERSION = `${PAGE}1`; // name of the cache
const MAX_WAIT = 2000; // ms to wait for the server (assumed)
let wait = MAX_WAIT; // 0 after the server was too late, until the server answers
const FILES = ["./", "index.html", "style.css", "icon.svg", "sentences.txt", "LICENCES.txt",
  "engine.wasm",
  ...["checks", "client", "dom", "engine", "hand", "index", "ink", "inkml", "loading", "main", "pen",
    "read", "reader", "sheet", "store", "text", "worker", "write", "writer", "zip"].map((name) => `${name}.js`)]; // all files of the page but the networks

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(FILES)));
});

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) =>
    name !== VERSION && (name.startsWith(PAGE) || /^\d$/.test(name))); // digits named former ones
  await Promise.all([...old.map((name) => caches.delete(name)), self.clients.claim()]);
})()));

/** The server's answer; the kept answer if the server is too late or cannot be reached. */
async function answer(request) {
  const cache = await caches.open(VERSION);
  const kept = await cache.match(request, {ignoreSearch: true});
  const fetched = fetch(request, {cache: "no-cache"}).then((response) => {
    wait = MAX_WAIT;
    if (response.ok) cache.put(request, response.clone()).catch(() => {}); // nothing is kept
    return response;
  });
  if (!kept) return fetched;
  const late = new Promise((resolve) => setTimeout(resolve, wait));
  const inTime = await Promise.race([fetched.catch(() => kept), late]);
  if (!inTime) wait = 0;
  return inTime ?? kept;
}

self.addEventListener("fetch", (event) => {
  const {method, url} = event.request;
  if (method === "GET" && new URL(url).origin === location.origin)
    event.respondWith(answer(event.request));
});

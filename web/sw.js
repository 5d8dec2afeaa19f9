// Keeps what the page needs, so that it works again without network.

const VERSION = "3";
const SHELL = ["./", "index.html", "style.css", "icon.svg", "sentences.txt", "engine.wasm",
  ...["client", "dom", "engine", "features", "hand", "ink", "inkml", "line", "main", "networks",
    "pen", "random", "read", "sheet", "stopping", "store", "text", "worker", "write",
  ].map((name) => `${name}.js`), "styles.json"];

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(SHELL)));
});

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name !== VERSION);
  await Promise.all([...old.map((name) => caches.delete(name)), self.clients.claim()]);
})()));

/** What the server has now; without it what was kept. */
async function answer(request) {
  const cache = await caches.open(VERSION);
  try {
    const found = await fetch(request, {cache: "no-cache"});
    if (found.ok) cache.put(request, found.clone()).catch(() => {}); // full, or cut off
    return found;
  } catch (error) {
    const kept = await cache.match(request, {ignoreSearch: true});
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const {method, url} = event.request;
  if (method === "GET" && new URL(url).origin === location.origin)
    event.respondWith(answer(event.request));
});

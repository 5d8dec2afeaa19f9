// Keeps the files of the page, so that the page works again without network.

const VERSION = "7";
const PATIENCE = 2000; // ms to wait for the server
let patience = PATIENCE; // 0 after a server did not answer in time, until it answers

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name !== VERSION);
  await Promise.all([...old.map((name) => caches.delete(name)), self.clients.claim()]);
})()));

/** The server's present answer, or the kept answer if the server is too late. */
async function answer(request) {
  const cache = await caches.open(VERSION);
  const kept = await cache.match(request, {ignoreSearch: true});
  const fetched = fetch(request, {cache: "no-cache"}).then((response) => {
    patience = PATIENCE;
    if (response.ok) cache.put(request, response.clone()).catch(() => {}); // full, or cut off
    return response;
  });
  if (!kept) return fetched;
  const late = new Promise((resolve) => setTimeout(resolve, patience));
  const fresh = await Promise.race([fetched.catch(() => kept), late]);
  if (!fresh) patience = 0;
  return fresh ?? kept;
}

self.addEventListener("fetch", (event) => {
  const {method, url} = event.request;
  if (method === "GET" && new URL(url).origin === location.origin)
    event.respondWith(answer(event.request));
});

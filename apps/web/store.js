// Handwriting kept in the browser (IndexedDB). A drawing is a record {key, strokes, state, when}.
// The key is the text of a line of My hand, or "" for the canvas of Read.

/** A promise for the result of a request or transaction; `done` and `failed` name its events. */
const settled = (request, done, failed) => new Promise((resolve, reject) => {
  request[done] = () => resolve(request.result);
  request[failed] = () => reject(request.error);
});

async function open() {
  const request = indexedDB.open("handwriting", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("lines", {keyPath: "key"});
  return settled(request, "onsuccess", "onerror");
}

/** The drawings of the page. A drawing that the browser cannot keep stays in memory; `refused` gets
 * the first error only. */
export function startStore(refused) {
  const opened = open(), get = (key) => drawings.get(key) ?? {key, strokes: []};
  let drawings = new Map(), canKeep = true;
  opened.catch(() => {}); // `reload` and `keep` get the error
  return {
    get,
    /** The finished lines of My hand, {text, device, strokes} each, the oldest first. */
    recorded: () => [...drawings.values()]
      .filter(({state, strokes}) => state === "done" && strokes.length)
      .sort((a, b) => a.when - b.when)
      .map(({key, strokes}) => ({text: key, device: strokes[0].pointer,
        strokes: strokes.map(({points}) => points)})),

    /** Load the drawings, which other tabs may have changed. Does nothing after `keep` failed. */
    async reload() {
      if (!canKeep) return;
      const lines = (await opened).transaction("lines").objectStore("lines");
      const kept = await settled(lines.getAll(), "onsuccess", "onerror");
      drawings = new Map(kept.map((drawing) => [drawing.key, drawing]));
    },

    /** Keep changes of a drawing. */
    async keep(key, changes) {
      const drawing = {...get(key), ...changes, when: Date.now()};
      drawings.set(key, drawing);
      try {
        const database = await opened;
        const transaction = database.transaction("lines", "readwrite", {durability: "strict"});
        transaction.objectStore("lines").put(drawing);
        await settled(transaction, "oncomplete", "onabort");
      } catch (error) {
        if (canKeep) refused(error);
        canKeep = false;
      }
    },
  };
}

/** Wait until no other tab holds a part of the page; then hold the part until this tab closes. */
export const claim = (part) => new Promise((resolve) => {
  const hold = () => new Promise(() => resolve()); // never settles, so that the lock is held
  navigator.locks?.request(part, hold) ?? resolve(); // insecure origins have no locks
});

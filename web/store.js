// What was written by hand, kept in the browser stroke by stroke (IndexedDB).
//
// A drawing has a key: the text of a line, or "" for the sheet of Read. What cannot be kept stays in
// memory: `keep` then rejects, and says so.

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open("handwriting", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("strokes", {keyPath: ["key", "index"]});
    request.result.createObjectStore("lines", {keyPath: "key"});
  };
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
  request.onblocked = () => reject(new Error("blocked"));
});
opened.catch(() => {});  // whoever uses it hears of it

const ofKey = (key) => IDBKeyRange.bound([key, 0], [key, Infinity]);

async function change(use) {
  const database = await opened;
  const transaction = database.transaction(["strokes", "lines"], "readwrite",
    {durability: "strict"});
  use(transaction.objectStore("strokes"), transaction.objectStore("lines"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Keep the strokes {pointer, values} of a drawing; `appended`: only the last of them is new. */
export const keep = (key, strokes, appended) => change((store) => {
  const first = appended ? strokes.length - 1 : 0;
  if (!appended) store.delete(ofKey(key));
  strokes.slice(first).forEach((stroke, n) => store.put({...stroke, key, index: first + n}));
});

/** Keep what is known of a line: {key, state, ...}. */
export const keepLine = (line) => change((_, lines) => lines.put(line));

/** Return all lines by their keys, and the strokes of every drawing by its key. */
export async function everything() {
  const database = await opened;
  const all = (name) => new Promise((resolve, reject) => {
    const request = database.transaction(name).objectStore(name).getAll();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const strokes = Map.groupBy(await all("strokes"), (stroke) => stroke.key);
  return {strokes, lines: new Map((await all("lines")).map((line) => [line.key, line]))};
}

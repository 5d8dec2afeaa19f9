// What was written by hand, kept in the browser stroke by stroke (IndexedDB).
//
// A drawing has a key: the text of a line, or "" for the sheet of Read. What cannot be kept stays
// in memory: `keep` then rejects, and says so.

const settled = (request, done, failed) => new Promise((resolve, reject) => {
  request[done] = () => resolve(request.result);
  request[failed] = () => reject(request.error);
});

async function open() {
  const request = indexedDB.open("handwriting", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("strokes", {keyPath: ["key", "index"]});
    request.result.createObjectStore("lines", {keyPath: "key"});
  };
  return settled(request, "onsuccess", "onerror");
}
const opened = open();
opened.catch(() => {}); // whoever uses it hears of it

async function change(name, use) {
  const transaction = (await opened).transaction(name, "readwrite", {durability: "strict"});
  use(transaction.objectStore(name));
  return settled(transaction, "oncomplete", "onabort");
}

/** Keep the strokes {pointer, points} of a drawing; `appended`: only the last of them is new. */
export const keep = (key, strokes, appended) => change("strokes", (store) => {
  const first = appended ? strokes.length - 1 : 0;
  if (!appended) store.delete(IDBKeyRange.bound([key, 0], [key, Infinity]));
  strokes.slice(first).forEach((stroke, n) => store.put({...stroke, key, index: first + n}));
});

/** Keep what is known of a line: {key, state, when}. */
export const keepLine = (line) => change("lines", (store) => store.put(line));

/** All lines by their keys, and the strokes of every drawing by its key. */
export async function everything() {
  const transaction = (await opened).transaction(["strokes", "lines"]);
  const [strokes, lines] = await Promise.all(["strokes", "lines"].map((name) =>
    settled(transaction.objectStore(name).getAll(), "onsuccess", "onerror")));
  const known = new Map(lines.map((line) => [line.key, line]));
  return {strokes: Map.groupBy(strokes, ({key}) => key), lines: known};
}

// The address of the viewer's page, and requests to the viewer.

// The token of all requests: the address has it, or a code for which the viewer gives it once.
let entering = null; // a promise of the token

const enter = async (query) => {
  if (!query.startsWith("code=")) return query;
  const answer = await sent("/api/enter", {method: "POST", body: JSON.stringify({code: query.slice(5)})});
  const {token} = await valuesOf(answer);
  history.replaceState(null, "", `?${token}${location.hash}`); // for new tabs and when it is reloaded
  return token;
};

/** What the viewer answers to a question, or to `body`, which changes something. */
export async function ask(what, values, body) {
  return valuesOf(await request(what, values, body));
}

/** A file that the viewer makes. */
export async function fetched(what, values) {
  const answer = await request(what, values);
  return answer.ok ? answer.blob() : valuesOf(answer);
}

async function valuesOf(answer) {
  const values = await answer.json().catch(() => ({error: answer.statusText}));
  if (!answer.ok) throw new Error(values.error);
  return values;
}

async function request(what, values, body) {
  const address = `/api/${what}?${new URLSearchParams(values)}`;
  const headers = {"X-Token": await (entering ??= enter(location.search.slice(1)))};
  return sent(body ? `/api/${what}` : address,
    {method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body)});
}

const sent = (address, options) => fetch(address, options)
  .catch(() => { throw new Error("The viewer has ended. Start it again."); });

/** The address of the page with some values changed; null removes a value. */
export function link(values) {
  const all = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(values))
    if (value === null || value === "") all.delete(name); else all.set(name, value);
  return `#${all}`;
}

export const given = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

/** The values of an address without a page. */
export const NOWHERE = {name: null, number: null, row: null, word: null, edit: null, kind: null};

/** Go to the address with some values changed, and show what is there. */
export function visit(values) {
  const address = link(values);
  if (address === (location.hash || "#")) window.dispatchEvent(new Event("hashchange"));
  else location.hash = address;
}

/** The limits of what is looked at. */
export function limits() {
  const {folder = "", since = "", until = ""} = given();
  return {folder, since, until};
}

export const day = (date) =>
  new Date(`${date}T12:00`).toLocaleDateString(undefined, {dateStyle: "medium"});

export const counted = (count, word) => `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;

/** The suffix of a file's name. */
export const suffixOf = (name) => name.match(/(\.excalidraw)?\.\w+$/)?.[0] ?? "";

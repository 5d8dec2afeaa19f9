// Write: a text becomes sheets of handwriting.

import {fresh} from "./strokes.js";
import {Paper, paint, saveSheets} from "./sheet.js";

const MOST = 5000;      // characters of a text
const WIDTH = 1.25;     // x-heights of a character, until a line was written (assumed)
const FULL = 0.95;      // of a column that a line is expected to take (assumed)
const REST = 250;       // ms between two lines

/** Return a text with doubtful parts marked, as nodes. */
export function marked(text, doubtful) {
  const nodes = [];
  let at = 0;
  for (const [start, end] of doubtful) {
    const mark = document.createElement("mark");
    mark.textContent = text.slice(start, end);
    nodes.push(text.slice(at, start), mark);
    at = end;
  }
  return [...nodes, text.slice(at)];
}

/** Return how many words stand in a row of so many characters, at least one. */
function wordsOf(words, most) {
  let [number, length] = [1, words[0].length];
  while (number < words.length && (length += 1 + words[number].length) <= most) number++;
  return number;
}

export function startWrite({client, complain, progress, say}) {
  const find = (selector) => document.querySelector(selector);
  const form = find("#options"), fields = form.elements, initial = new FormData(form);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let paper, rows = [], sheets = [], job = null, learned = false;
  let frame = 0, before = 0, hurried = false;  // of the pen that one sees

  const look = () => ({pen: Number(fields.pen.value), colour: fields.colour.value});
  const ofSheet = (number) => rows.filter((row) => row.sheet === number);

  function showValues() {
    for (const input of form.querySelectorAll("[type=range]")) {
      input.previousElementSibling.textContent = `${input.value} ${input.dataset.unit ?? ""}`;
    }
    for (const ink of form.querySelectorAll(".ink")) {
      ink.style.backgroundColor = ink.value;
      ink.setAttribute("aria-pressed", ink.value === fields.colour.value);
    }
  }

  function repaint() {
    for (const [number, sheet] of sheets.entries()) {
      if (!sheet.canvas.clientWidth) continue;
      sheet.context = fresh(sheet.canvas, paper.width);
      paint(sheet.context, paper, look(), ofSheet(number).map((row) => row.shown));
    }
  }

  function addSheet() {
    const canvas = Object.assign(document.createElement("canvas"), {className: "sheet"});
    canvas.style.aspectRatio = `${paper.width} / ${paper.height}`;
    canvas.setAttribute("role", "img");
    find("#sheets").append(canvas);
    sheets.push({canvas});
    repaint();
  }

  /** Show, frame by frame, what the pen has done by now. */
  function play(now) {
    const row = rows.find((one) => !one.finished), context = sheets[row?.sheet]?.context;
    if (context) {
      row.clock += hurried || still.matches ? Infinity : Math.min(now - before, 100);
      row.reveal(context, look(), row.clock);
      row.finished = row.complete && row.clock >= row.end + REST;
      if (!row.complete) row.clock = Math.min(row.clock, row.end);
    }
    before = now;
    frame = row || job ? requestAnimationFrame(play) : 0;
    find("#at-once").hidden = !frame;
    find("#stop").hidden = !job;
    find("#another").hidden = Boolean(job);
  }

  function showDoubts() {
    find("#doubts").replaceChildren(...rows.filter((row) => row.doubtful.length).map((row) => {
      const item = document.createElement("li"), again = document.createElement("button");
      [again.type, again.textContent] = ["button", "Write again"];
      again.onclick = () => begin(async (signal) => {
        await compute(row, (row.seed + 1000) % 2 ** 32, signal);
        row.fit(paper.column);
        row.complete = true;
      });
      item.append(...marked(row.text, row.doubtful), " ", again);
      return item;
    }));
    for (const [number, {canvas}] of sheets.entries()) {
      canvas.setAttribute("aria-label", ofSheet(number).map((row) => row.text).join("\n"));
    }
  }

  /** Write a row's text, as often as it is misread. */
  async function compute(row, seed, signal) {
    const restart = () => {
      row.clear();
      repaint();
    };
    restart();
    Object.assign(row, {seed, complete: false, doubtful: []});
    // Without a style each seed has a hand of its own: later rows go on in that of the first.
    const primer = !fields.style.value && !learned && row !== rows[0] ? rows[0].done : null;
    const options = {seed, bias: Number(fields.bias.value), style: fields.style.value || null,
      primer, proofread: true};
    const parts = {points: ({ink}) => row.add(ink), again: restart};
    const writing = client.request("write", {text: row.text, options}, {parts, signal});
    client.load("reader", progress).catch(complain);  // after the first row has begun
    const {ink, text, doubtful} = await writing;
    row.set(ink);
    Object.assign(row, {doubtful, done: {ink, text}});
  }

  /** Write paragraphs, broken into rows by the width that characters turn out to have. */
  async function writeAll(text, signal) {
    const seed = Number(fields.seed.value);
    let number = 0, perCharacter = WIDTH;
    for (const paragraph of text.split("\n")) {
      let words = paragraph.match(/\S{1,30}/gu) ?? [];
      if (!words.length) number++;
      while (words.length) {
        const row = paper.row(number);
        rows.push(row);
        if (row.sheet === sheets.length) addSheet();
        let length = wordsOf(words, FULL * paper.column / paper.size / perCharacter);
        do {
          row.text = words.slice(0, length).join(" ");
          say(`Line ${rows.length}`);
          await compute(row, (seed + number) % 2 ** 32, signal);
          perCharacter = (perCharacter + row.width / row.size / row.text.length) / 2;
        } while (!row.fit(paper.column) && --length);
        words = words.slice(length || 1);
        row.complete = true;
        repaint();
        number++;
      }
    }
  }

  /** Do work that writes; what was being written before stops. */
  async function begin(work) {
    job?.abort();
    const own = job = new AbortController();
    hurried = false;
    try {
      const {name, licence, styles} = await client.load("writer", progress);
      learned = Boolean(styles?.hand);
      find("#licence").textContent = `${name}: ${licence}`;
      if (job === own) frame ||= requestAnimationFrame(play);
      if (job === own) await work(own.signal);
    } catch (error) {
      if (job === own) complain(error);
    }
    if (job !== own) return;
    job = null;
    say("");
    rows = rows.filter((row) => row.strokes.length);
    for (const row of rows) row.complete = true;
    showDoubts();
  }

  function write() {
    const text = fields.text.value.normalize("NFC").trimEnd(), size = Number(fields.size.value);
    if (text.length > MOST) {
      return complain(new Error(`A text here has at most ${MOST.toLocaleString("en")} characters, ` +
        `this one ${text.length.toLocaleString("en")}: “experiments.py page” writes longer ones.`));
    }
    if (!form.reportValidity()) return;
    history.replaceState(null, "", `#write?${new URLSearchParams(new FormData(form))}`);
    [rows, sheets] = [[], []];
    find("#sheets").replaceChildren();
    find("#doubts").replaceChildren();
    paper = new Paper({paper: fields.paper.value, ruling: fields.ruling.value, size});
    addSheet();
    begin((signal) => writeAll(text, signal));
  }

  async function openHand({target}) {
    const file = target.files[0];
    if (!file) return;
    try {
      const bytes = await file.arrayBuffer();
      const header = await client.load("writer", progress, {bytes, name: file.name});
      fields.style.value = "";
      fields.style.selectedOptions[0].textContent = header.name;
      write();
    } catch (error) {
      complain(error);
    }
  }

  form.onsubmit = (event) => {
    event.preventDefault();
    write();
  };
  form.oninput = () => {
    showValues();
    if (paper) repaint();
  };
  form.onclick = ({target}) => {
    if (target.className === "ink") {
      fields.colour.value = target.value;
      form.oninput();
    } else if (target.closest("#save") && target.value && rows.length) {
      saveSheets(target.value, paper, rows, look()).catch(complain);
    }
  };
  find("#another").onclick = () => {
    fields.seed.value = (Number(fields.seed.value) + 1) % 2 ** 32;
    write();
  };
  find("#at-once").onclick = () => { hurried = true; };
  find("#stop").onclick = () => job?.abort();
  find("#learned").onchange = openHand;
  find("#link").onclick = async () => {
    history.replaceState(null, "", `#write?${new URLSearchParams(new FormData(form))}`);
    await navigator.clipboard.writeText(location.href).then(() => say("Copied"), complain);
    setTimeout(() => say(""), 2000);
  };
  new ResizeObserver(() => paper && repaint()).observe(find("#sheets"));
  client.ready.then(() => fetch("networks/styles.json")).then((answer) => answer.json())
    .then((styles) => {
      const {value, options} = fields.style;
      const named = Object.keys(styles).map((name) => new Option(name));
      fields.style.replaceChildren(options[0], ...named);
      fields.style.value = value;
      if (!fields.style.value) fields.style.selectedIndex = 0;
    }).catch(() => {});  // the network's own hand needs none

  return {
    open(query) {
      if (paper && !query) return;
      const given = new URLSearchParams(query);
      // Until the names of the styles are here.
      if (given.get("style")) fields.style.append(new Option(given.get("style")));
      for (const [name, value] of [...initial, ...given]) {
        if (fields.namedItem(name)) fields[name].value = value;
      }
      for (const select of form.querySelectorAll("select")) if (!select.value) select.selectedIndex = 0;
      showValues();
      write();
    },
  };
}

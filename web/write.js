// Write: a text becomes sheets of handwriting.

import {button, create, find, fresh, marked} from "./dom.js";
import {Paper, paint, saveSheets, toElements} from "./sheet.js";
import {fit} from "./text.js";

const MOST = 5000; // characters of a text
const WIDTH = 1.25; // x-heights of a character, until a line was written (assumed)
const FULL = 0.95; // fraction of a column that a line is expected to take (assumed)
const SEEDS = 2 ** 32;
const MINE = "My hand"; // the style learned from recorded lines

/** The number of words, at least one, that fit in a row of `most` characters. */
function fitting(words, most) {
  let number = 1, length = words[0].length;
  while (number < words.length && (length += 1 + words[number].length) <= most) number++;
  return number;
}

export function startWrite({client, complain, say, store}) {
  const form = find("#options"), fields = form.elements, initial = new FormData(form);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let paper, rows = [], sheets = [], job = null, network = null, hand = null;
  let frame = 0, lastTime = 0, isHurried = false; // of the animated pen

  const look = () => ({pen: Number(fields.pen.value), colour: fields.colour.value});
  const ofSheet = (number) => rows.filter((row) => row.sheet === number);

  /** Let the page's address hold all that is chosen. */
  const showLink = () =>
    history.replaceState(null, "", `#write?${new URLSearchParams(new FormData(form))}`);

  function repaint() {
    for (const input of form.querySelectorAll("[type=range]"))
      input.previousElementSibling.textContent = `${input.value} ${input.dataset.unit ?? ""}`;
    for (const ink of form.querySelectorAll(".ink")) {
      ink.style.backgroundColor = ink.value;
      ink.ariaPressed = ink.value === fields.colour.value;
    }
    for (const [number, sheet] of sheets.entries()) {
      if (!sheet.canvas.clientWidth) continue;
      sheet.context = fresh(sheet.canvas, paper.width);
      paint(sheet.context, paper, look(), ofSheet(number).map((row) => row.shown));
    }
  }

  function addSheet() {
    const canvas = create("canvas", {className: "sheet", role: "img"});
    canvas.style.aspectRatio = `${paper.width} / ${paper.height}`;
    find("#sheets").append(canvas);
    sheets.push({canvas});
    repaint();
  }

  /** Show, frame by frame, the ink that the pen has written by now. */
  function play(now) {
    const row = rows.find(({finished}) => !finished), context = sheets[row?.sheet]?.context;
    const passed = isHurried || still.matches ? Infinity : Math.min(now - lastTime, 100);
    if (context) row.play(context, look(), passed);
    lastTime = now;
    frame = row || job ? requestAnimationFrame(play) : 0;
    find("#at-once").hidden = !frame;
    find("#stop").hidden = !job;
    find("#another").hidden = Boolean(job);
  }

  function showDoubts() {
    find("#doubts").replaceChildren(...rows.filter((row) => row.doubtful.length).map((row) => {
      const again = button("Write again", () => begin(async (signal) => {
        await compute(row, row.seed + 1000, signal);
        row.fit(paper.column);
      }));
      return create("li", {}, ...marked(row.text, row.doubtful), " ", again);
    }));
    for (const [number, {canvas}] of sheets.entries())
      canvas.ariaLabel = ofSheet(number).map((row) => row.text).join("\n");
  }

  /** Write a row's text, and again as long as it is misread. */
  async function compute(row, seed, signal) {
    const restart = () => {
      row.clear();
      repaint();
    };
    restart();
    Object.assign(row, {seed: seed % SEEDS, doubtful: []});
    // A network that is told no hand has a different hand with each seed: the first row primes all.
    const [first] = rows, primer = row !== first && first.ink.length ? first : null;
    const options = {text: row.text, seed: row.seed, bias: Number(fields.bias.value),
      hand: hand ?? (primer && {text: primer.text, ink: primer.ink})};
    client.ask("load", {role: "reader"}); // proofreads the rows that end after it is loaded
    for await (const {ink, doubtful = []} of client.write(options)) {
      signal.throwIfAborted();
      if (!ink.length) restart(); // the row was misread
      row.set(ink);
      row.doubtful = doubtful;
    }
  }

  /** Write paragraphs, broken into rows by the mean width of the characters written so far. */
  async function writeAll(text, signal) {
    const seed = Number(fields.seed.value);
    let number = 0, width = WIDTH;
    for (const paragraph of text.split("\n")) {
      let words = paragraph.match(/\S{1,30}/gu) ?? [];
      if (!words.length) number++;
      for (; words.length; number++) {
        signal.throwIfAborted();
        const row = paper.row(number), room = FULL * paper.column / paper.size / width;
        rows.push(row);
        if (row.sheet === sheets.length) addSheet();
        let length = fitting(words, Math.min(room, network.sampling.longest));
        do {
          row.text = words.slice(0, length).join(" ");
          say(`Line ${rows.length}`);
          await compute(row, seed + number, signal);
          width = (width + row.width / row.size / row.text.length) / 2;
        } while (!row.fit(paper.column) && --length);
        words = words.slice(length || 1);
        row.complete = true;
        repaint();
      }
    }
  }

  /** Do work that writes; earlier work stops. */
  async function begin(work) {
    job?.abort();
    const current = job = new AbortController();
    isHurried = false;
    frame ||= requestAnimationFrame(play);
    try {
      await work(current.signal);
    } catch (error) {
      complain(error);
    }
    if (job !== current) return;
    job = null;
    say("");
    rows = rows.filter((row) => row.strokes.length);
    for (const row of rows) row.complete = true;
    showDoubts();
  }

  /** The text. If the network cannot write all its signs, an Error names these signs; its `remedy`
   * is a button that replaces them or leaves them out. */
  function writable() {
    const {text, changes} = fit(fields.text.value, network), signs = Object.keys(changes);
    if (text.trim() && !signs.length) return text;
    const code = (sign) => sign.codePointAt().toString(16).toUpperCase().padStart(4, "0");
    const shown = (sign) => (/[\p{C}\p{M}]/u.test(sign) ? `U+${code(sign)}` : sign) +
      (changes[sign] && ` (${changes[sign]} instead)`);
    const listed = `The network cannot write ${signs.map(shown).join(", ")}.`;
    const error = new Error(signs.length ? listed : "The text is blank.");
    if (text.trim()) error.remedy = ["Replace or leave out", () => {
      fields.text.value = fit(fields.text.value, network).text;
      write();
    }];
    throw error;
  }

  /** List the styles that the network knows; the selected style stays if it is among them. */
  function showStyles() {
    const {value, options: [standard]} = fields.style, {hands} = network;
    const names = hands ? [MINE, ...Object.keys(hands).filter((name) => name !== "hand")] : [];
    standard.textContent = hands && !hands.hand ? "Its own" : network.name;
    fields.style.replaceChildren(standard, ...names.map((name) => new Option(name)));
    fields.style.value = names.includes(value) ? value : "";
  }

  /** The request for the worker's task `hand`: the hand that is chosen. */
  async function chosenHand() {
    const style = fields.style.value, seed = Number(fields.seed.value);
    if (style !== MINE) return {style, seed};
    await store.reload().catch(() => {}); // `keep` reports a failure
    const lines = store.recorded().map(({strokes}) => strokes);
    if (lines.length) return {lines};
    const error = new Error("Nothing of your hand is recorded here: four lines will do.");
    error.remedy = ["Record", () => { location.hash = "#hand"; }];
    throw error;
  }

  /** Write the text if the network knows all its signs; otherwise the sheets stay as they are. */
  async function write() {
    if (!form.reportValidity()) return;
    if (fields.text.textLength > MOST)
      throw new Error(`A text here has at most ${MOST} characters, this one ` +
        `${fields.text.textLength}: “experiments.py page” writes longer ones.`);
    say("Loading");
    network = await client.ask("load", {role: "writer"}).finally(() => say(""));
    find("#licence").textContent = `${network.name}: ${network.licence}`;
    showStyles();
    const text = writable().trimEnd(), size = Number(fields.size.value);
    hand = await client.ask("hand", await chosenHand());
    find("#problem").hidePopover();
    showLink();
    [rows, sheets] = [[], []];
    find("#sheets").replaceChildren();
    find("#doubts").replaceChildren();
    paper = new Paper({paper: fields.paper.value, ruling: fields.ruling.value, size});
    addSheet();
    begin((signal) => writeAll(text, signal));
  }

  form.onsubmit = (event) => {
    event.preventDefault();
    write();
  };
  form.oninput = repaint;
  form.onchange = showLink;
  form.onclick = ({target}) => {
    if (target.className === "ink") {
      fields.colour.value = target.value;
      repaint();
      showLink();
    } else if (target.closest("#save") && target.value && rows.length)
      saveSheets(target.value, paper, rows, look());
  };
  find("#another").onclick = () => {
    fields.seed.value = (Number(fields.seed.value) + 1) % SEEDS;
    write();
  };
  find("#at-once").onclick = () => { isHurried = true; };
  find("#stop").onclick = () => job?.abort();
  find("#learned").onchange = async ({target: {files: [file]}}) => {
    const bytes = await file.arrayBuffer();
    await client.ask("load", {role: "writer", bytes, name: file.name});
    fields.style.value = "";
    write();
  };
  find("#print").onclick = () => print();
  window.onbeforeprint = () => {
    const style = new CSSStyleSheet(), shown = find("#write").hidden ? [] : rows;
    style.replaceSync(`@page sheet { size: ${paper?.width}mm ${paper?.height}mm; margin: 0; }`);
    document.adoptedStyleSheets = [style];
    find("#printed").replaceChildren(...toElements(paper, shown, look()));
  };
  new ResizeObserver(repaint).observe(find("#sheets"));
  return {
    open(query) {
      if (paper && !query) return;
      const values = new URLSearchParams(query), style = values.get("style");
      if (style) fields.style.append(new Option(style)); // until the network is loaded
      for (const [name, value] of values)
        if (initial.has(name)) fields[name].value = value;
      for (const select of form.querySelectorAll("select"))
        if (!select.value) select.selectedIndex = 0;
      write();
    },
  };
}

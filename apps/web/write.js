// Write: a text becomes sheets of handwriting.

import {button, clearedContext, create, find, marked} from "./dom.js";
import {Paper, paint, saveSheets, toElements} from "./sheet.js";
import {broken, named, transliterate} from "./text.js";

const MAX_CHARACTERS = 5000; // of a text (assumed)
const FIRST_WIDTH = 1.25; // x-heights per character, until a written row is measured (assumed)
const FILLED = 0.95; // fraction of a column's width that a row is expected to fill (assumed)
const SEEDS = 2 ** 32; // number of seeds
const TYPING_PAUSE = 400; // ms; Safari refuses more than 100 changes of the address in 30 s
const MY_HAND = "My hand"; // the style of the recorded lines

/** The number of words, at least 1, that fit in a row of `maxCharacters`. */
function countFitting(words, maxCharacters) {
  let count = 1, length = words[0].length;
  while (count < words.length && (length += 1 + words[count].length) <= maxCharacters) count++;
  return count;
}

/** Set up the part Write. `open` of the result shows the part, with the values of a query. */
export function startWrite({client, complain, say, store}) {
  const form = find("#options"), fields = form.elements, initial = new FormData(form);
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  let paper, rows = [], sheets = [], job = null, network = null, hand = null;
  let frame = 0, lastTime = 0, showsAll = false; // of the animated pen
  let typing = 0; // timer of the address
  let usualBias = fields.bias.value; // of the style last written in; null if the address has a bias

  const pen = () => ({width: Number(fields.pen.value), colour: fields.colour.value});
  const rowsOf = (sheet) => rows.filter((row) => row.sheet === sheet);

  /** Put the values of the form into the page's address, unless the user is leaving this part. */
  const updateAddress = () => {
    if (!/^#(read|hand)/.test(location.hash))
      history.replaceState(null, "", `#write?${new URLSearchParams(new FormData(form))}`);
  };

  /** Update the controls of the form, and draw all sheets again. */
  function repaint() {
    for (const input of form.querySelectorAll("[type=range]"))
      input.previousElementSibling.textContent = `${input.value} ${input.dataset.unit ?? ""}`;
    for (const ink of form.querySelectorAll(".ink")) {
      ink.style.backgroundColor = ink.value;
      ink.ariaPressed = ink.value === fields.colour.value;
    }
    for (const [number, sheet] of sheets.entries()) {
      if (!sheet.canvas.clientWidth) continue;
      sheet.context = clearedContext(sheet.canvas, paper.width);
      paint(sheet.context, paper, pen(), rowsOf(number).map((row) => row.shown));
    }
  }

  function addSheet() {
    const canvas = create("canvas", {className: "sheet", role: "img"});
    canvas.style.aspectRatio = `${paper.width} / ${paper.height}`;
    find("#sheets").append(canvas);
    sheets.push({canvas});
    repaint();
  }

  /** Draw the ink that the pen has written since the last frame, and ask for the next frame. */
  function play(time) {
    const row = rows.find(({played}) => !played), context = sheets[row?.sheet]?.context;
    const status = row ? `Line ${rows.indexOf(row) + 1}` : "";
    if ((row || !job) && find("#status").textContent !== status) say(status);
    const isInstant = showsAll || reducedMotion.matches;
    if (context) row.play(context, pen(), isInstant ? Infinity : Math.min(time - lastTime, 100));
    lastTime = time;
    frame = row || job ? requestAnimationFrame(play) : 0;
    find("#at-once").hidden = !frame;
    find("#stop").hidden = !job;
    find("#another").hidden = Boolean(job);
  }

  /** List the rows with doubtful words, and describe the sheets by their texts. */
  function showDoubts() {
    find("#doubts").replaceChildren(...rows.filter((row) => row.doubtful.length).map((row) => {
      const writeAgain = button("Write again", () => runJob(async (signal) => {
        await writeRow(row, row.seed + 1000, signal);
        row.narrowTo(paper.column);
      }));
      return create("li", {}, ...marked(row.text, row.doubtful), " ", writeAgain);
    }));
    for (const [number, {canvas}] of sheets.entries())
      canvas.ariaLabel = rowsOf(number).map((row) => row.text).join("\n");
  }

  /** Write a row's text; a misread row is written again. */
  async function writeRow(row, seed, signal) {
    const clear = () => {
      row.clear();
      repaint();
    };
    clear();
    Object.assign(row, {seed: seed % SEEDS, doubtful: []});
    // Without a chosen hand each seed has another hand: the first row is the later rows' primer.
    const [first] = rows, primer = row !== first && first.written.length ? first : null;
    const options = {text: row.text, seed: row.seed, bias: Number(fields.bias.value),
      style: hand ?? (primer && {text: primer.text, strokes: primer.written})};
    client.ask("load", {role: "reader"}); // rows that end before the reader is loaded stay unread
    for await (const {strokes, doubtful = []} of client.write(options)) {
      signal.throwIfAborted();
      if (!strokes.length) clear(); // a new try
      row.set(strokes);
      row.doubtful = doubtful;
    }
  }

  /** Write a text. Its paragraphs are broken into rows by the mean width of written characters. */
  async function writeAll(text, signal) {
    const seed = Number(fields.seed.value);
    let number = 0, characterWidth = FIRST_WIDTH;
    for (const paragraph of broken(text, network.alphabet).split("\n")) {
      let words = paragraph.match(/\S+/gu) ?? [];
      if (!words.length) number++;
      for (; words.length; number++) {
        signal.throwIfAborted();
        const row = paper.row(number);
        const maxCharacters = FILLED * paper.column / paper.size / characterWidth;
        rows.push(row);
        if (row.sheet === sheets.length) addSheet();
        let count = countFitting(words, Math.min(maxCharacters, network.longest));
        do {
          row.text = words.slice(0, count).join(" ");
          await writeRow(row, seed + number, signal);
          characterWidth = (characterWidth + row.width / row.size / row.text.length) / 2;
        } while (!row.narrowTo(paper.column) && --count);
        words = words.slice(count || 1);
        row.inkComplete = true;
        repaint();
      }
    }
  }

  /** Run `work`, a function that writes rows, instead of the work that runs now. */
  async function runJob(work) {
    job?.abort();
    const current = job = new AbortController();
    showsAll = false;
    frame ||= requestAnimationFrame(play);
    try {
      await work(current.signal);
    } catch (error) {
      complain(error);
    }
    if (job !== current) return;
    job = null;
    rows = rows.filter((row) => row.strokes.length);
    for (const row of rows) row.inkComplete = true;
    showDoubts();
  }

  /** The text. Throws an Error if the text is blank, or if the network cannot write some of the
   * text's signs; the remedy of the Error replaces these signs or leaves them out. */
  function checkedText() {
    const {text, changes} = transliterate(fields.text.value, network), signs = Object.keys(changes);
    if (text.trim() && !signs.length) return text;
    const unknown = `The network cannot write ${named(signs, changes)}.`;
    const error = new Error(signs.length ? unknown : "The text is blank.");
    if (text.trim()) error.remedy = ["Replace or leave out", () => {
      fields.text.value = transliterate(fields.text.value, network).text;
      write();
    }];
    throw error;
  }

  /** List the network's styles; the selected style stays selected if the network has it. */
  function showStyles() {
    const {value, options: [standard]} = fields.style, {styles, hasOwnHands} = network;
    const names = styles.length ? [MY_HAND, ...styles.filter((name) => name !== "hand")] : [];
    standard.textContent = styles.includes("hand") ? network.name : "Its own";
    find("#own").hidden = !hasOwnHands;
    fields.style.replaceChildren(standard, ...names.map((name) => new Option(name)));
    fields.style.value = names.includes(value) ? value : "";
  }

  /** Set the legibility that is usual for the chosen style, unless somebody chose another. */
  function setUsualBias() {
    const usual = String(network.biases[fields.style.value || "hand"] ?? network.bias);
    if (fields.bias.value === usualBias) fields.bias.value = usual;
    usualBias = usual;
    repaint();
  }

  /** The chosen hand, as a request for the worker's task `hand`. */
  async function chosenHand() {
    const style = fields.style.value, seed = Number(fields.seed.value);
    if (style !== MY_HAND) return {style, seed};
    await store.reload().catch(() => {}); // `store.keep` reports a failure of the storage
    const lines = store.recorded();
    if (lines.length) return {lines};
    const error = new Error("No line of your hand is recorded here; four lines are enough.");
    error.remedy = ["Record", () => { location.hash = "#hand"; }];
    throw error;
  }

  /** Write the text on new sheets. The sheets stay as they are if there is an error. */
  async function write() {
    if (!form.reportValidity()) return;
    if (fields.text.textLength > MAX_CHARACTERS)
      throw new Error(`The text has ${fields.text.textLength} characters; at most ` +
        `${MAX_CHARACTERS} are written here. “experiments.py page” writes longer texts.`);
    say("Loading");
    network = await client.ask("load", {role: "writer"}).finally(() => say(""));
    find("#licence").textContent = `${network.name}: ${network.licence}`;
    showStyles();
    setUsualBias();
    const text = checkedText().trimEnd(), size = Number(fields.size.value);
    hand = await client.ask("hand", await chosenHand());
    find("#problem").hidePopover();
    updateAddress();
    [rows, sheets] = [[], []];
    find("#sheets").replaceChildren();
    find("#doubts").replaceChildren();
    paper = new Paper({paper: fields.paper.value, ruling: fields.ruling.value, size});
    addSheet();
    runJob((signal) => writeAll(text, signal));
  }

  form.onsubmit = (event) => {
    event.preventDefault();
    write();
  };
  form.onkeydown = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    write();
  };
  form.oninput = () => {
    repaint();
    clearTimeout(typing);
    typing = setTimeout(updateAddress, TYPING_PAUSE);
  };
  form.onchange = updateAddress;
  form.onclick = ({target}) => {
    if (target.className === "ink") {
      fields.colour.value = target.value;
      repaint();
      updateAddress();
    } else if (target.closest("#save") && target.value && rows.length)
      saveSheets(target.value, paper, rows, pen());
  };
  find("#another").onclick = () => {
    fields.seed.value = (Number(fields.seed.value) + 1) % SEEDS;
    write();
  };
  find("#at-once").onclick = () => { showsAll = true; };
  find("#stop").onclick = () => job?.abort();
  find("#learned").onchange = async ({target: {files: [file]}}) => {
    await client.ask("load", {role: "writer", file});
    fields.style.value = "";
    write();
  };
  find("#print").onclick = () => print();
  window.onbeforeprint = () => {
    const style = new CSSStyleSheet();
    const shown = find("#write").hidden ? [] : rows.filter((row) => row.strokes.length);
    style.replaceSync(`@page sheet { size: ${paper?.width}mm ${paper?.height}mm; margin: 0; }`);
    document.adoptedStyleSheets = [style];
    find("#printed").replaceChildren(...toElements(paper, shown, pen()));
  };
  new ResizeObserver(repaint).observe(find("#sheets"));
  return {
    open(query) {
      if (paper && !query) return;
      const values = new URLSearchParams(query), style = values.get("style");
      if (values.has("bias")) usualBias = null;
      if (style) fields.style.append(new Option(style)); // the list has no styles before `load`
      for (const [name, value] of values)
        if (initial.has(name)) fields[name].value = value;
      for (const select of form.querySelectorAll("select"))
        if (!select.value) select.selectedIndex = 0;
      write();
    },
  };
}

// Writes the text of handwriting in a drawing of the plugin Excalidraw into the drawing's note.

import {decompressFromBase64} from "lz-string";
import {Notice, Plugin, type TFile} from "obsidian";
import network from "open-reader";
import engine from "../../web/engine.wasm";
import {loadReader} from "../../web/index.js";
import {strokesOf} from "../drawings.js";

const DRAWING = /^```(compressed-)?json\n([^]*?)^```/gm;
// Where Excalidraw's part of a note begins. It keeps what stands above, and drops what is below.
const DATA = /^(#\n+)?(%%\n+)?##? (Excalidraw Data|Text Elements|Drawing)$/m;
const START = "<!-- text of the handwriting -->", END = "<!-- end of the handwriting -->";

/** The strokes of the drawing in a note. */
export function strokesOfNote(note: string): number[][][] {
  const [, isCompressed, content] = [...note.matchAll(DRAWING)].at(-1) ?? [];
  if (content === undefined) throw new Error("This note has no drawing of Excalidraw.");
  try {
    const text = isCompressed ? decompressFromBase64(content.replace(/\s/g, "")) : content;
    return strokesOf(JSON.parse(text).elements);
  } catch {
    throw new Error("The drawing of this note is damaged.");
  }
}

/** A row of text without the characters of Markdown's syntax. Tags stay. */
function escaped(row: string): string {
  return row.replace(/[\\`*_[\]<>~|%$]|^#+(?=\s|$)/g, "\\$&").replace(/^(\d*)([-+.)=])/, "$1\\$2");
}

/** A note with rows of text in a section of their own, which replaces the section before. */
export function withText(note: string, rows: string[]): string {
  const section = [START, "## Handwriting", ...rows.map(escaped), END].join("\n");
  const end = note.indexOf(END), start = note.lastIndexOf(START, end);
  if (end > start && start >= 0)
    return note.slice(0, start) + section + note.slice(end + END.length);
  const place = DATA.exec(note)?.index ?? note.length;
  const above = note.slice(0, place).replace(/\n{0,2}$/, "\n\n");
  return `${above}${section}\n\n${note.slice(place)}`;
}

export default class TextOfHandwriting extends Plugin {
  reader?: ReturnType<typeof loadReader>;

  onload() {
    this.addCommand({
      id: "write-text",
      name: "Write the text of this drawing",
      checkCallback: (isOnlyAsked) => {
        const file = this.app.workspace.getActiveFile();
        const about = file && this.app.metadataCache.getFileCache(file)?.frontmatter;
        if (!file || !about?.["excalidraw-plugin"]) return false;
        if (!isOnlyAsked)
          this.writeText(file).catch(({message}: Error) => message)
            .then((message) => new Notice(message));
        return true;
      },
    });
  }

  onunload() {
    this.reader?.then((reader) => reader.dispose());
  }

  /** Write the text of a drawing into its note. Returns what was done. */
  async writeText(file: TFile): Promise<string> {
    this.reader ??= loadReader(network, engine);
    const strokes = strokesOfNote(await this.app.vault.read(file));
    const read = (await this.reader).read(strokes);
    const rows = read.filter(({isDrawing, text}) => !isDrawing && text.trim());
    if (!rows.length) throw new Error("No handwriting was found in this drawing.");
    await this.app.vault.process(file, (note) => withText(note, rows.map(({text}) => text)));
    return `Rows written: ${rows.length}. Left out, as they may be drawings: ` +
      `${read.length - rows.length}.`;
  }
}

// Runs the built plugin for Obsidian in Node, beside stand-ins for Obsidian's classes: a request as
// JSON on standard input, on output the notes after each run and what the plugin said.

import {readFileSync} from "node:fs";
import {createRequire} from "node:module";

const {main, notes} = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(new URL("../../../apps/plugins/package.json", import.meta.url));
const said = [];
const obsidian = {
  Notice: class { constructor(message) { said.push(message); } },
  Plugin: class { addCommand(command) { this.command = command; } },
};
const built = {exports: {}};
new Function("module", "exports", "require", readFileSync(main, "utf8"))(
  built, built.exports, (name) => name === "obsidian" ? obsidian : require(name));

const plugin = new built.exports.default();
const compressed = (text) => require("lz-string").compressToBase64(text).replace(/.{256}/g, "$&\n\n");
const answers = [];
for (const {text, edit = "", isDrawing = true} of notes) {
  let content = text.replace(/LZ\((.*?)\)LZ/s, (_, drawing) => compressed(drawing));
  const turns = [content];
  plugin.app = {
    workspace: {getActiveFile: () => ({path: "a.excalidraw.md"})},
    metadataCache: {getFileCache: () =>
      ({frontmatter: isDrawing ? {"excalidraw-plugin": "parsed"} : undefined})},
    vault: {
      read: async () => content,
      process: async (_, change) => { content = change(edit + content); }, // edited meanwhile
    },
  };
  plugin.onload();
  const isOffered = plugin.command.checkCallback(true);
  for (let run = 0; run < 2 && isOffered; run++) {
    const before = said.length;
    plugin.command.checkCallback(false);
    while (said.length === before) await new Promise(setImmediate);
    turns.push(content);
  }
  answers.push({turns, isOffered});
}
plugin.onunload();
process.stdout.write(JSON.stringify({answers, said}));

// Builds a plugin: node build.js excalidraw|obsidian [FOLDER [NETWORK]]
// Without a network the plugin reads with saved/pretrained/open_reader.bin.

import {build} from "esbuild";
import {cpSync, existsSync} from "node:fs";
import {basename, resolve} from "node:path";
import {fileURLToPath} from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const READER = path("../../saved/pretrained/open_reader.bin");
const [plugin, folder = path(`${plugin}/build`), network = READER] = process.argv.slice(2);
const options = {
  excalidraw: {
    entryPoints: [path("excalidraw/main.jsx")],
    format: "esm",
    splitting: true,
    conditions: ["production"], // of the style sheet of Excalidraw
    loader: {".wasm": "file", ".bin": "file", ".woff2": "file"}, // a URL when it is imported
  },
  obsidian: {
    entryPoints: [path("obsidian/main.ts")],
    format: "cjs",
    external: ["obsidian"],
    loader: {".wasm": "binary", ".bin": "binary"}, // the bytes when it is imported
    banner: {js: "/* Contains lz-string (https://github.com/pieroxy/lz-string, MIT). */"},
    logOverride: {"empty-import-meta": "silent"}, // both files are given
  },
}[plugin];
const missing = options ? !existsSync(network) && `${network}: no such file; see apps/plugins/README.md` :
  "name a plugin: node build.js excalidraw|obsidian [FOLDER [NETWORK]]";
if (missing) {
  console.error(`error: ${missing}`);
  process.exit(2);
}
await build({...options, outdir: folder, bundle: true, minify: true, jsx: "automatic",
  target: "es2023", alias: {"open-reader": resolve(network)}, legalComments: "linked"});
const files = {excalidraw: "excalidraw/index.html", obsidian: "obsidian/manifest.json"}[plugin];
for (const file of [files, "../../LICENSE", "../web/LICENCES.txt"]) // the network needs both
  cpSync(path(file), `${folder}/${basename(file)}`);
if (plugin === "excalidraw")
  cpSync(path("node_modules/@excalidraw/excalidraw/dist/prod/fonts"), `${folder}/fonts`,
    {recursive: true});
console.log(`${plugin} is built: ${folder}`);

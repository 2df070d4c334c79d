// Writes a compressed copy beside each large file that browsers ask VS Code's server for.
// Run by `build` with the directory that is served.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { brotliCompressSync, constants } = require("node:zlib");

const [, , root] = process.argv;
// A smaller file is compressed anew in no time.
const least = 64 * 1024;
// One step of quality more takes four times as long for three per cent.
const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 22 };

const folders = [
  "out/vs/code/browser",
  "out/vs/workbench/api/worker",
  "out/vs/workbench/services",
  "out/vs/editor",
  "node_modules/@xterm",
  "node_modules/@vscode/tree-sitter-wasm",
  "node_modules/jschardet",
  "node_modules/katex",
  "node_modules/vscode-oniguruma",
  "node_modules/vscode-textmate",
];

function compress(file) {
  if (!/\.(css|js|json|wasm)$/.test(file) || fs.statSync(file).size < least) return;
  fs.writeFileSync(`${file}.br`, brotliCompressSync(fs.readFileSync(file), { params }));
}

compress(path.join(root, "out/nls.messages.js"));
for (const folder of folders) {
  const directory = path.join(root, folder);
  if (!fs.existsSync(directory)) continue;
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) compress(path.join(entry.parentPath, entry.name));
  }
}

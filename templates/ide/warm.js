// Compiles ahead: starts the IDE in this process, asks for the workbench, keeps what was compiled and
// what was found out about the built-in extensions.
// Run by `build` with the bundle's own Node and the folder that containers mount the bundle at; the
// bundle must be writable.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const [bundle, home] = process.argv.slice(2);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "steading-ide-warm-"));
const socket = path.join(scratch, "socket");
const { exit } = process;
const { keep } = require(path.join(bundle, "load.js"));

const get = () =>
  new Promise((resolve, reject) => {
    const request = http.get({ socketPath: socket, path: "/?folder=/", headers: { host: "localhost" } }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode));
    });
    request.on("error", reject);
  });

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// VS Code writes it a moment after the first page, and believes it for a folder of the same path and time.
async function keepExtensions() {
  const file = path.join(scratch, "data", "CachedProfilesData", "__default__profile__", "extensions.builtin.cache");
  for (let tries = 0; tries < 300; tries += 1) {
    try {
      const text = fs.readFileSync(file, "utf8");
      JSON.parse(text);
      // As a path and as part of a URL.
      const written = new Set([JSON.stringify(bundle).slice(1, -1), encodeURI(bundle)]);
      const moved = [...written].reduce((now, folder) => now.replaceAll(folder, home), text);
      fs.writeFileSync(path.join(bundle, "extensions.builtin.cache"), moved);
      return;
    } catch (error) {
      if (error.code !== "ENOENT" && !(error instanceof SyntaxError)) throw error;
    }
    await pause(100);
  }
  throw new Error("the built-in extensions were not looked at");
}

async function warm() {
  for (let tries = 0; tries < 300; tries += 1) {
    if ((await get().catch(() => undefined)) === 200) {
      keep();
      await keepExtensions();
      return;
    }
    await pause(100);
  }
  throw new Error("the workbench does not answer");
}

process.env.HOME = scratch;
process.argv.splice(1, 3, path.join(bundle, "entry.js"));
process.argv.push("--auth", "none", "--socket", socket, "--user-data-dir", path.join(scratch, "data"), "--log", "error", "/");
require(path.join(bundle, "entry.js"));
warm()
  .then(() => 0)
  .catch((error) => {
    console.error(error.message);
    return 1;
  })
  .then((status) => {
    fs.rmSync(scratch, { recursive: true, force: true });
    exit(status);
  });

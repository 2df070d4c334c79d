// Compiles ahead: starts the IDE in this process, asks for the workbench, keeps what was compiled.
// Run by `build` with the bundle's own Node; the bundle must be writable.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const bundle = process.argv[2];
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

async function warm() {
  for (let tries = 0; tries < 300; tries += 1) {
    if ((await get().catch(() => undefined)) === 200) {
      keep();
      return;
    }
    await pause(100);
  }
  throw new Error("the workbench does not answer");
}

process.env.HOME = scratch;
process.argv.splice(1, 2, path.join(bundle, "entry.js"));
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

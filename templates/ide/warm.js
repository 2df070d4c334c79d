// Fills the bundle's cache of compiled code: starts the IDE once, asks for the workbench, ends it.
// Run by `build` with the bundle's own Node at the place where containers will mount it.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const bundle = process.argv[2];
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "steading-ide-warm-"));
const cache = path.join(scratch, "cache");
const socket = path.join(scratch, "socket");

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
  const args = ["--auth", "none", "--socket", socket, "--user-data-dir", path.join(scratch, "data"), "/"];
  const env = { PATH: process.env.PATH, HOME: scratch, STEADING_IDE_CACHE: cache };
  const ide = spawn(process.execPath, [path.join(bundle, "entry.js"), ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [ide.stdout, ide.stderr]) stream.on("data", (chunk) => (said += chunk));
  const ended = new Promise((resolve) => ide.on("exit", resolve));
  try {
    for (let tries = 1; ; tries += 1) {
      const status = await get().catch(() => undefined);
      if (status === 200) break;
      if (tries === 300 || ide.exitCode !== null) throw new Error(`the workbench does not answer (${status}):\n${said}`);
      await pause(100);
    }
    await pause(1000);
  } finally {
    ide.kill("SIGTERM");
  }
  await ended;
  const [filled] = fs.readdirSync(cache);
  fs.cpSync(path.join(cache, filled), path.join(bundle, "compiled"), { recursive: true });
}

warm()
  .finally(() => fs.rmSync(scratch, { recursive: true, force: true }))
  .catch((error) => {
    console.error(error.message);
    process.exit(1);
  });

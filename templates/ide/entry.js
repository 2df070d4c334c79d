// Starts VS Code's server in this one process.
//
// code-server's own entry starts a second Node to watch the first. A container runtime does that
// already, so it would only cost a second start. Arguments are code-server's.
//
// STEADING_IDE_CACHE  a directory for compiled code; default: steading-ide-<uid> among temporary
//                     files. Without a writable one everything works, and starts more slowly.
"use strict";

const fs = require("node:fs");
const module_ = require("node:module");
const os = require("node:os");
const path = require("node:path");
const v8 = require("node:v8");

// Node keeps compiled code under a name with its own version, the processor's features and the
// user's id in it. The bundle brings one such directory, filled when it was built, and it serves
// every user: what is inside does not depend on either.
function useCompiledCode() {
  const directory = process.env.STEADING_IDE_CACHE || path.join(os.tmpdir(), `steading-ide-${process.getuid()}`);
  delete process.env.STEADING_IDE_CACHE;
  const shipped = path.join(__dirname, "compiled");
  const tag = v8.cachedDataVersionTag().toString(16).padStart(8, "0");
  const own = path.join(directory, `${process.version}-${process.arch}-${tag}-${process.getuid()}`);
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (fs.existsSync(shipped)) fs.symlinkSync(shipped, own);
  } catch (error) {
    if (error.code !== "EEXIST") return;
  }
  // Compiled code is run, so nobody else may have put it there.
  const owner = fs.lstatSync(directory);
  if (!owner.isDirectory() || owner.uid !== process.getuid()) return;
  module_.enableCompileCache(directory);
}

// The person's own settings are theirs from then on.
function seed(settings) {
  try {
    fs.copyFileSync(path.join(__dirname, "settings.json"), settings, fs.constants.COPYFILE_EXCL);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
}

async function start() {
  // Without it code-server thinks it is the watching process, and VS Code starts a second server of
  // its own on port 8000.
  process.env.CODE_SERVER_PARENT_PID = String(process.pid);
  const cli = require("./code-server/out/node/cli");
  const main = require("./code-server/out/node/main");
  // No configuration file: one in a person's home must not change how the IDE is reached.
  const args = await cli.setDefaults(cli.parse(process.argv.slice(2)));
  if (main.shouldSpawnCliProcess(args)) return main.runCodeCli(args);

  const data = args["user-data-dir"];
  fs.mkdirSync(path.join(data, "User"), { recursive: true });
  seed(path.join(data, "User", "settings.json"));
  // The heartbeat file belongs to this IDE too, not to a directory in the person's home.
  require("./code-server/out/node/util").paths.data = data;
  const { wrapper } = require("./code-server/out/node/wrapper");
  wrapper.preventExit();
  const server = await main.runCodeServer(args);
  wrapper.onDispose(() => server.dispose());

  // code-server loads VS Code when the first page is asked for. Whoever waits is asking already.
  const { ensureVSCodeLoaded } = require("./code-server/out/node/routes/vscode");
  await ensureVSCodeLoaded({ args }, undefined, (error) => {
    if (error) throw error;
  });
  // Terminals need not know how we were started.
  delete process.env.CODE_SERVER_PARENT_PID;
}

useCompiledCode();
start().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

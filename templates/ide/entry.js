// Starts VS Code's server in this one process.
//
// code-server's own entry starts a second Node to watch the first. A container runtime does that
// already, so it would only cost a second start. Arguments are code-server's.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { load } = require("./load");
const { serveCompressed } = require("./static");

// Puts a file of the bundle where there is none yet. While the bundle is built, it has not all of them.
function seed(name, folder) {
  fs.mkdirSync(folder, { recursive: true });
  try {
    fs.copyFileSync(path.join(__dirname, name), path.join(folder, name), fs.constants.COPYFILE_EXCL);
  } catch (error) {
    if (error.code !== "EEXIST" && error.code !== "ENOENT") throw error;
  }
}

async function start() {
  // Without it code-server thinks it is the watching process, and VS Code starts a second server of
  // its own on port 8000.
  process.env.CODE_SERVER_PARENT_PID = String(process.pid);
  const { cli, main, paths, vscode, wrapper } = load(path.join(__dirname, "code-server/out/node/front.js"));
  // No configuration file: one in a person's home must not change how the IDE is reached.
  const args = await cli.setDefaults(cli.parse(process.argv.slice(2)));
  if (main.shouldSpawnCliProcess(args)) return main.runCodeCli(args);

  const data = args["user-data-dir"];
  // The person's own settings are theirs from then on.
  seed("settings.json", path.join(data, "User"));
  // Reading a hundred manifests would take a third of a first start, and hold up the first page.
  seed("extensions.builtin.cache", path.join(data, "CachedProfilesData", "__default__profile__"));
  // The heartbeat file belongs to this IDE too, not to a directory in the person's home.
  paths.data = data;
  wrapper.preventExit();
  const server = await main.runCodeServer(args);
  wrapper.onDispose(() => server.dispose());
  serveCompressed(server.server, path.join(__dirname, "code-server/lib/vscode"));

  // code-server loads VS Code when the first page is asked for. Whoever waits is asking already.
  await vscode.ensureVSCodeLoaded({ args }, undefined, (error) => {
    if (error) throw error;
  });
  // Terminals need not know how we were started.
  delete process.env.CODE_SERVER_PARENT_PID;
}

start().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});

// Loads a bundled program together with the code V8 compiled for it when the bundle was built.
//
// Node's own compile cache holds no function that was not compiled at once, which is nearly all of
// them, and has the user's id in its names. This one is written after a first page was served, so
// it holds what a start needs, and it serves every user from a read-only directory.
"use strict";

const fs = require("node:fs");
const { createRequire, wrap } = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

// Node calls the loader used below experimental, at every start, in every workspace's log.
const { emitWarning } = process;
process.emitWarning = (warning, ...more) => {
  if (!String(warning).includes("USE_MAIN_CONTEXT_DEFAULT_LOADER")) emitWarning.call(process, warning, ...more);
};

const scripts = new Map();

const read = (file) => {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
};

// Runs a CommonJS file and returns its exports. V8 refuses compiled code of another version or
// other flags, and then compiles the source as usual.
function load(file) {
  const script = new vm.Script(wrap(fs.readFileSync(file, "latin1")), {
    filename: file,
    cachedData: read(`${file}.compiled`),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  scripts.set(file, script);
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, path.dirname(file));
  return module.exports;
}

// For the build: writes what has been compiled so far beside each program.
function keep() {
  for (const [file, script] of scripts) fs.writeFileSync(`${file}.compiled`, script.createCachedData());
}

module.exports = { keep, load };

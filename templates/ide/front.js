// What entry.js needs of code-server; `build` makes one file of it and all it requires.
"use strict";

exports.cli = require("./cli");
exports.main = require("./main");
exports.paths = require("./util").paths;
exports.vscode = require("./routes/vscode");
exports.wrapper = require("./wrapper").wrapper;

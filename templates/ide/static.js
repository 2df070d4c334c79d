// Answers requests for VS Code's large static files from copies compressed when the bundle was
// built. Compressing the workbench anew costs more than half a second for each new browser.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const types = { ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".wasm": "application/wasm" };
const address = /^\/[a-z]+-[0-9a-f]{40}\/static\/([\w@./-]+)$/;

// The file a request may have, or undefined where the usual way must answer.
function compressed(request, root) {
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const [, name] = address.exec(request.url.split("?", 1)[0]) ?? [];
  const type = name && types[path.extname(name)];
  if (!type || name.split("/").includes("..")) return undefined;
  if (!/(^|[\s,])br\s*(,|$)/.test(request.headers["accept-encoding"] ?? "")) return undefined;
  const file = path.join(root, `${name}.br`);
  const found = fs.statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? { file, size: found.size, type } : undefined;
}

// Goes before whatever answers the server's requests now.
function serveCompressed(server, root) {
  const usual = server.listeners("request");
  server.removeAllListeners("request");
  server.on("request", (request, response) => {
    const found = compressed(request, root);
    if (!found) {
      for (const listener of usual) listener.call(server, request, response);
      return;
    }
    response.writeHead(200, {
      // The commit is part of the address, so the answer never changes.
      "Cache-Control": "public, max-age=31536000",
      "Content-Encoding": "br",
      "Content-Length": found.size,
      "Content-Type": found.type,
      Vary: "Accept-Encoding",
    });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    fs.createReadStream(found.file)
      .on("error", () => response.destroy())
      .pipe(response);
  });
}

module.exports = { serveCompressed };

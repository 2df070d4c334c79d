// The whole journey in a real browser: sign in, paste a URL, watch, open VS Code, type in its terminal,
// stop, start, find the edit, delete. Prints one JSON line with what it saw; exits 1 where it broke.
//
//   LINK    the one-time sign-in link        REPO   the Git URL to paste
//   SHOTS   folder for screenshots (optional) CHROMIUM   the browser (default: /usr/bin/chromium)

import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const { LINK, REPO, SHOTS, CHROMIUM = "/usr/bin/chromium" } = process.env;
const PATIENCE = 120_000;

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
  ],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
context.setDefaultTimeout(PATIENCE);
const page = await context.newPage();

if (SHOTS) mkdirSync(SHOTS, { recursive: true });
const shot = (where, name) => SHOTS && where.screenshot({ path: `${SHOTS}/${name}.png` });
const say = (text) => console.error(`journey: ${text}`);

/** Waits until a check gives something, and returns that. */
async function eventually(what, check) {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const found = await check().catch(() => undefined);
    if (found) return found;
    if (Date.now() > until) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 250));
  }
}

/** A command in the workspace through the API, with the page's own session. */
const exec = (slug, script) =>
  page.evaluate(
    async ([slug, script]) => {
      const answer = await fetch(`/v1/workspaces/${slug}/exec`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ cmd: [script] }),
      });
      return answer.json();
    },
    [slug, script],
  );

/** Opens VS Code from the workspace's page and waits for its workbench. */
async function openIde() {
  const [ide] = await Promise.all([
    context.waitForEvent("page"),
    page.getByRole("link", { name: /Open VS Code/ }).click(),
  ]);
  await ide.locator(".monaco-workbench").waitFor();
  await ide.locator(".explorer-folders-view").waitFor();
  return ide;
}

const seen = {};
try {
  say("sign in");
  await page.goto(LINK);
  await page.getByLabel("Git URL").waitFor();

  say("paste the URL");
  await page.getByLabel("Git URL").fill(REPO);
  const preview = page.getByRole("region", { name: "What will be used" });
  await preview.getByText("devcontainer.json").first().waitFor();
  await shot(page, "1-paste");
  await page.getByRole("button", { name: "Create workspace" }).click();
  await page.waitForURL(/\/workspaces\//);
  seen.slug = new URL(page.url()).pathname.split("/").pop();

  say("watch it come up");
  await page.getByRole("link", { name: /Open VS Code/ }).waitFor();
  await page.getByRole("tab", { name: "Log" }).click();
  await page.getByText("Ready at").first().waitFor();
  await shot(page, "2-running");

  say("open VS Code");
  let ide = await openIde();
  seen.url = ide.url();
  await ide.getByRole("treeitem", { name: /README\.md/ }).first().waitFor();

  say("type in its terminal");
  await ide.keyboard.press("Control+Backquote");
  await ide.locator(".terminal-wrapper.active .xterm").waitFor();
  // The shell must have its prompt before it is typed to; typing again does no harm.
  await eventually("the terminal runs the command", async () => {
    await ide.locator(".terminal-wrapper.active .xterm-helper-textarea").focus();
    await ide.keyboard.type("echo typed by $(id -un) in $PWD > typed.txt; git log --oneline | wc -l >> typed.txt\n");
    await new Promise((done) => setTimeout(done, 1500));
    const { exit_code, stdout } = await exec(seen.slug, "cat typed.txt");
    return exit_code === 0 && stdout.split("\n").length > 2 && (seen.typed = stdout.trim());
  });
  await eventually("the explorer shows the new file", () =>
    ide.getByRole("treeitem", { name: /typed\.txt/ }).first().isVisible(),
  );
  await shot(ide, "3-vscode");
  await ide.close();

  say("a terminal in the page");
  await page.getByRole("tab", { name: "Terminal" }).click();
  await page.locator(".xterm-helper-textarea").waitFor({ state: "attached" });
  await eventually("the page's terminal runs a command", async () => {
    await page.locator(".xterm-helper-textarea").focus();
    await page.keyboard.type("echo also $((40 + 2)) > also.txt\n");
    await new Promise((done) => setTimeout(done, 500));
    return (await exec(seen.slug, "cat also.txt")).stdout === "also 42\n";
  });
  await shot(page, "4-terminal");

  say("stop");
  await page.getByRole("button", { name: /^Stop/ }).click();
  await page.getByRole("button", { name: /^Start/ }).waitFor();

  say("its address says that it is stopped, and offers to start it");
  const stopped = await context.newPage();
  await stopped.goto(seen.url);
  await stopped.getByText(/stopped/i).first().waitFor();
  await shot(stopped, "5-stopped");
  await stopped.close();

  say("start, and the edit is there");
  await page.getByRole("button", { name: /^Start/ }).first().click();
  await page.getByRole("link", { name: /Open VS Code/ }).waitFor();
  ide = await openIde();
  await ide.getByRole("treeitem", { name: /typed\.txt/ }).first().waitFor();
  await ide.close();

  say("delete");
  await page.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await page.getByLabel("Git URL").waitFor();
  await eventually("it is gone", () =>
    page.evaluate(async (slug) => (await fetch(`/v1/workspaces/${slug}`)).status === 404, seen.slug),
  );
  console.log(JSON.stringify(seen));
} catch (error) {
  await shot(page, "broken").catch?.(() => {});
  for (const [number, open] of context.pages().entries()) {
    say(`open page ${number}: ${open.url()}`);
    await shot(open, `broken-${number}`);
  }
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}

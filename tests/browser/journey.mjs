// The whole journey in a real browser: sign in, paste a URL, watch, open VS Code, type in its terminal,
// stop, start it from its own address, find the edit, delete. Prints one JSON line with what it saw; exits 1
// where it broke.
//
//   LINK    the one-time sign-in link        REPO   the Git URL to paste
//   SHOTS, CHROMIUM   as in support.mjs

import { api, eventually, exec, say, shot, story } from "./support.mjs";

const { LINK, REPO } = process.env;

/** Opens VS Code from the workspace's page and waits for its workbench. */
async function openIde(page) {
  const [ide] = await Promise.all([
    page.context().waitForEvent("page"),
    page.getByRole("link", { name: /Open VS Code/ }).click(),
  ]);
  await workbench(ide);
  return ide;
}

async function workbench(ide) {
  await ide.locator(".monaco-workbench").waitFor();
  await ide.locator(".explorer-folders-view").waitFor();
}

/** Types into the page's own terminal until a file in the workspace has what it should. */
const typed = (page, slug, text, file, check) =>
  eventually(`${text} is typed`, async () => {
    await page.locator(".xterm-helper-textarea").focus();
    await page.keyboard.type(`${text}\n`);
    await new Promise((done) => setTimeout(done, 500));
    const { stdout } = await exec(page, slug, `cat ${file}`);
    return check(stdout) && stdout.trim();
  });

/** The terminal in the page: it runs commands, knows its size, says how its shell ended, and leaves none behind. */
async function terminal(page, slug) {
  await page.getByRole("tab", { name: "Terminal" }).click();
  await page.locator(".xterm-helper-textarea").waitFor({ state: "attached" });
  await typed(page, slug, "echo also $((40 + 2)) > also.txt", "also.txt", (text) => text === "also 42\n");
  await shot(page, "4-terminal");

  say("it follows the size of the window");
  const size = (text) => /^\d+ \d+$/.test(text.trim());
  const wide = await typed(page, slug, "stty size > wide.txt", "wide.txt", size);
  await page.setViewportSize({ width: 800, height: 700 });
  const narrow = await typed(page, slug, "stty size > narrow.txt", "narrow.txt", (text) => size(text) && text.trim() !== wide);
  if (Number(narrow.split(" ")[1]) >= Number(wide.split(" ")[1])) throw new Error(`${wide} became ${narrow}`);
  await page.setViewportSize({ width: 1280, height: 860 });

  say("it says how its shell ended, and another one can be had");
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("exit 3\n");
  await page.getByText("The shell ended with exit code 3.").waitFor();
  await page.getByRole("button", { name: "New terminal" }).click();
  await page.getByText("The terminal is open.").waitFor({ state: "attached" });
  const shell = await typed(page, slug, "echo $$ > shell.txt", "shell.txt", (text) => /^\d+\n$/.test(text));

  say("its shell ends with the page");
  await page.getByRole("link", { name: "Workspaces", exact: true }).click();
  await eventually("the shell is gone", async () => {
    const { stdout } = await exec(page, slug, `kill -0 ${shell} 2>/dev/null || echo gone`);
    return stdout.trim() === "gone";
  });
  await page.getByRole("link", { name: slug, exact: true }).click();
}

await story(async (context) => {
  const seen = {};
  const page = await context.newPage();

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
  let ide = await openIde(page);
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
    const { exit_code, stdout } = await exec(page, seen.slug, "cat typed.txt");
    return exit_code === 0 && stdout.split("\n").length > 2 && (seen.typed = stdout.trim());
  });
  await eventually("the explorer shows the new file", () =>
    ide.getByRole("treeitem", { name: /typed\.txt/ }).first().isVisible(),
  );
  await shot(ide, "3-vscode");
  await ide.close();

  say("a terminal in the page");
  await terminal(page, seen.slug);

  say("stop");
  await page.getByRole("button", { name: /^Stop/ }).click();
  await page.getByRole("button", { name: /^Start/ }).waitFor();

  say("its address says that it is stopped, and starts it");
  ide = await context.newPage();
  await ide.goto(seen.url);
  await ide.getByText(/stopped/i).first().waitFor();
  await shot(ide, "5-stopped");
  await ide.getByRole("link", { name: "Start it" }).click();

  say("it comes up by itself, and the edit is there");
  await ide.waitForURL((url) => url.host === new URL(seen.url).host);
  await workbench(ide);
  await ide.getByRole("treeitem", { name: /typed\.txt/ }).first().waitFor();
  await ide.close();

  say("delete");
  await page.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await page.getByLabel("Git URL").waitFor();
  await eventually("it is gone", () =>
    api(page, "GET", `/workspaces/${seen.slug}`).then(({ status }) => status === 404),
  );
  return seen;
});

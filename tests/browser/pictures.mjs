// The pictures of the README, from a true journey: a workspace's page, and VS Code with a command in its terminal.
//
//   LINK    the one-time sign-in link        REPO   the Git URL of the fixture `orchard`
//   SHOTS, CHROMIUM   as in support.mjs

import { api, clear, eventually, make, shot, story } from "./support.mjs";

const { LINK, REPO } = process.env;

await story(async (context) => {
  const page = await context.newPage();
  await page.goto(LINK);
  await page.getByLabel("Git URL").waitFor();
  const slug = await make(page, REPO, "running");
  await page.goto(new URL(`/workspaces/${slug}`, page.url()).href);
  await page.getByText("Open for visitors", { exact: true }).waitFor();
  await eventually("the port listens", async () => {
    const { body } = await api(page, "GET", `/workspaces/${slug}/ports`);
    return body.items.some(({ listening }) => listening);
  });
  await page.getByText("listening", { exact: true }).waitFor();
  await page.mouse.move(0, 0);
  await shot(page, "workspace");

  const [ide] = await Promise.all([
    context.waitForEvent("page"),
    page.getByRole("link", { name: /Open VS Code/ }).click(),
  ]);
  await ide.locator(".explorer-folders-view").waitFor();
  await ide.getByRole("treeitem", { name: "src" }).click();
  await ide.getByRole("treeitem", { name: "trees.py" }).dblclick();
  await ide.keyboard.press("Control+Backquote");
  await ide.locator(".terminal-wrapper.active .xterm").waitFor();
  // The shell prints its prompt a moment after the terminal is there.
  await new Promise((done) => setTimeout(done, 5000));
  await ide.locator(".terminal-wrapper.active .xterm-helper-textarea").focus();
  await ide.keyboard.type("git log --oneline && python3 src/trees.py\n");
  await ide.locator(".statusbar-item", { hasText: "main" }).first().waitFor();
  await new Promise((done) => setTimeout(done, 3000));
  await shot(ide, "vscode");
  await ide.close();
  await clear(page, [slug]);
});

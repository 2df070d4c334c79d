// The pictures of the README, from a true journey: a workspace's page, and VS Code with a command in its terminal.
//
//   LINK    the one-time sign-in link        REPO   the Git URL of the fixture `orchard`
//   SHOTS, CHROMIUM   as in support.mjs

import { api, clear, eventually, make, say, shot, story } from "./support.mjs";

const { LINK, REPO } = process.env;

await story(
  async (context) => {
    const page = await context.newPage();
    await page.goto(LINK);
    await page.getByLabel("Git URL").waitFor();

    say("a workspace whose port listens");
    const slug = await make(page, REPO, "running");
    await page.goto(new URL(`/workspaces/${slug}`, page.url()).href);
    await page.getByText("Open for visitors on port 3000", { exact: true }).waitFor();
    await eventually("the port listens", async () => {
      const { body } = await api(page, "GET", `/workspaces/${slug}/ports`);
      return body.items.some(({ listening }) => listening);
    });
    await page.getByText("listening", { exact: true }).waitFor();
    await page.mouse.move(0, 0);
    await shot(page, "workspace", { fullPage: true });

    say("VS Code with a file and a terminal");
    const [ide] = await Promise.all([
      context.waitForEvent("page"),
      page.getByRole("link", { name: /Open VS Code/ }).click(),
    ]);
    await ide.locator(".explorer-folders-view").waitFor();
    await ide.getByRole("treeitem", { name: "src" }).click();
    await ide.getByRole("treeitem", { name: "trees.js" }).dblclick();
    await ide.locator(".view-line", { hasText: "harvest" }).first().waitFor();
    // A terminal that is older than what extensions tell it has a warning.
    await ide.locator(".statusbar-item", { hasText: "main" }).first().waitFor();
    await new Promise((done) => setTimeout(done, 3000));
    await ide.keyboard.press("Control+Backquote");
    await ide.setViewportSize({ width: 1280, height: 860 });
    const terminal = ide.locator(".terminal-wrapper.active");
    await terminal.locator(".xterm").waitFor();

    say("a command and its output");
    // The shell prints its prompt a moment after the terminal is there; what is typed before that is shown twice.
    await new Promise((done) => setTimeout(done, 5000));
    await terminal.locator(".xterm-helper-textarea").focus();
    await ide.keyboard.type("git status --short --branch && node src/harvest.js\n");
    await terminal.locator(".xterm-rows").getByText("in an ordinary year").waitFor();
    await ide.mouse.move(900, 800);
    await new Promise((done) => setTimeout(done, 1000));
    await shot(ide, "vscode");
    await ide.close();
    await clear(page, [slug]);
  },
  // Twice the pixels, so that they are sharp on every screen.
  { deviceScaleFactor: 2, viewport: { width: 1280, height: 1000 } },
);

// Every page at two widths, light and dark, judged by axe-core; and no page is wider than its window.
//
//   LINK     the one-time sign-in link
//   RUNNING  a Git URL that comes to run     FAILING   one that does not
//   SEVERAL  one with the configurations a and b
//   SHOTS, CHROMIUM   as in support.mjs

import { readFileSync } from "node:fs";
import { api, clear, make, say, shot, story, until } from "./support.mjs";

const { LINK, RUNNING, FAILING, SEVERAL } = process.env;
const AXE = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
// In between there is nothing of its own to judge, but to look at.
const WIDTHS = process.env.SHOTS ? [390, 768, 1280] : [390, 1280];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What is wrong with the page as it is now. */
async function judge(page) {
  const found = await page.evaluate(async (tags) => {
    const { violations } = await window.axe.run(document, { runOnly: tags });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }, RULES);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (over > 0) found.push(`the page is ${over} px wider than the window`);
  return found;
}

/** Targets that a finger misses: under 44 px in both directions, and not a link within a sentence. */
const small = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, select, input, a.button, nav a, [role=tab]")]
      .filter((element) => element.checkVisibility() && !element.matches(".skip, [type=radio]"))
      .filter((element) => element.getBoundingClientRect().height < 43.5)
      .map((element) => `too small for a finger: ${element.outerHTML.slice(0, 80)}`),
  );

await story(async (context, browser) => {
  const page = await context.newPage();
  await page.goto(LINK);
  await page.getByLabel("Git URL").waitFor();

  say("a workspace in each state");
  const running = await make(page, RUNNING, "running");
  const stopped = await make(page, RUNNING, "running");
  await api(page, "POST", `/workspaces/${stopped}/stop`);
  await until(page, stopped, "stopped");
  const failed = await make(page, FAILING, "failed");
  const several = await make(page, SEVERAL, "running");

  const views = {
    home: ["/", (view) => view.getByRole("link", { name: failed }).waitFor()],
    branches: [
      `/new?url=${encodeURIComponent(RUNNING)}`,
      async (view) => {
        const box = view.getByRole("combobox", { name: /Branch/ });
        await box.click();
        await view.getByRole("option", { name: "main default" }).waitFor();
        await view.keyboard.press("ArrowDown");
      },
    ],
    rebuild: [
      `/workspaces/${several}`,
      async (view) => {
        await view.getByRole("button", { name: "Rebuild" }).click();
        await view.getByRole("radio", { name: /\/b\// }).waitFor();
      },
    ],
    new: [
      `/new?url=${encodeURIComponent(RUNNING)}`,
      (view) => view.getByRole("region", { name: "What will be used" }).getByText("devcontainer.json").first().waitFor(),
    ],
    running: [`/workspaces/${running}`, (view) => view.getByText("Ready at").first().waitFor()],
    failed: [`/workspaces/${failed}`, (view) => view.getByRole("alert").first().waitFor()],
    stopped: [`/workspaces/${stopped}`, (view) => view.getByText("Its files are kept").waitFor()],
    settings: ["/settings", (view) => view.getByText("You have no tokens.").or(view.getByText("Revoke").first()).waitFor()],
  };
  const wrong = [];
  const state = await context.storageState();
  for (const colorScheme of ["light", "dark"]) {
    for (const width of WIDTHS) {
      const viewport = { width, height: 900 };
      const hasTouch = width < 500;
      const inside = await browser.newContext({ viewport, colorScheme, hasTouch, isMobile: hasTouch, storageState: state, bypassCSP: true });
      const outside = await browser.newContext({ viewport, colorScheme, hasTouch, isMobile: hasTouch, bypassCSP: true });
      const look = async (from, name, [path, ready]) => {
        const view = await from.newPage();
        await view.goto(new URL(path, page.url()).href);
        await ready(view);
        await view.evaluate(AXE);
        const found = await judge(view);
        if (hasTouch) found.push(...(await small(view)));
        wrong.push(...found.map((text) => `${name}, ${width} px, ${colorScheme}: ${text}`));
        await shot(view, `${name}-${width}-${colorScheme}`, { fullPage: true });
        await view.close();
      };
      say(`${width} px, ${colorScheme}`);
      for (const [name, view] of Object.entries(views)) await look(inside, name, view);
      await look(outside, "sign-in", ["/sign-in?spent=1", (view) => view.getByLabel("API token").waitFor()]);
      await inside.close();
      await outside.close();
    }
  }
  await clear(page, [running, stopped, failed, several]);
  if (wrong.length > 0) throw new Error(`\n${wrong.join("\n")}`);
});

// Many tabs of one workspace: a browser keeps at most six connections to a server, and still every tab loads.
//
//   LINK   the one-time sign-in link          REPO   a Git URL that comes to run
//   SHOTS, CHROMIUM   as in support.mjs

import { clear, make, say, story } from "./support.mjs";

const { LINK, REPO } = process.env;

/** Shows a tab, or hides it behind another one. Playwright's own tabs all count as seen. */
const see = (page, state) =>
  page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);

await story(async (context) => {
  const first = await context.newPage();
  await first.goto(LINK);
  await first.getByLabel("Git URL").waitFor();
  const slug = await make(first, REPO, "running");
  const address = new URL(`/workspaces/${slug}`, first.url()).href;

  const tabs = [];
  for (let number = 1; number <= 8; number++) {
    say(`tab ${number}`);
    const tab = await context.newPage();
    await tab.goto(address);
    await tab.getByRole("link", { name: /Open VS Code/ }).waitFor({ timeout: 30_000 });
    await tab.getByText("Ready at").first().waitFor({ timeout: 30_000 });
    if (number < 8) await see(tab, "hidden");
    tabs.push(tab);
  }

  say("the first one is shown again, and live");
  await see(tabs[7], "hidden");
  await see(tabs[0], "visible");
  await tabs[0].getByRole("button", { name: "Stop" }).click();
  await tabs[0].getByRole("button", { name: "Start" }).waitFor();
  await see(tabs[0], "hidden");

  say("another one has missed nothing");
  await see(tabs[3], "visible");
  await tabs[3].getByText("Its files are kept.").waitFor({ timeout: 30_000 });

  for (const tab of tabs) await tab.close();
  await clear(first, [slug]);
});

// What every visit with a real browser needs.
//
//   LINK    the one-time sign-in link
//   SHOTS   folder for screenshots (optional) CHROMIUM   the browser (default: /usr/bin/chromium)

import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const { SHOTS, CHROMIUM = "/usr/bin/chromium" } = process.env;

/** Milliseconds; a busy machine is slow, not wrong. */
export const PATIENCE = 120_000;

export const launch = () =>
  chromium.launch({
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

export const say = (text) => console.error(`browser: ${text}`);

if (SHOTS) mkdirSync(SHOTS, { recursive: true });

/** Takes a picture, if pictures are wanted. */
export const shot = (page, name, options = {}) =>
  SHOTS ? page.screenshot({ path: `${SHOTS}/${name}.png`, ...options }) : undefined;

/** Waits until a check gives something, and returns that. */
export async function eventually(what, check) {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const found = await check().catch(() => undefined);
    if (found) return found;
    if (Date.now() > until) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 250));
  }
}

/** A call of the API with the page's own session; gives status and body. */
export const api = (page, method, path, body) =>
  page.evaluate(
    async ([method, path, body]) => {
      const answer = await fetch(`/v1${path}`, {
        method,
        headers: { "content-type": "application/json" },
        body: body ? JSON.stringify(body) : undefined,
      });
      return { status: answer.status, body: await answer.json().catch(() => null) };
    },
    [method, path, body],
  );

/** A command in a workspace. */
export const exec = async (page, slug, script) =>
  (await api(page, "POST", `/workspaces/${slug}/exec`, { cmd: [script] })).body;

/** Waits until a workspace is in a phase. */
export const until = (page, slug, phase) =>
  eventually(`${slug} is ${phase}`, async () => {
    const { body } = await api(page, "GET", `/workspaces/${slug}`);
    return body.phase === phase && body;
  });

/** Makes a workspace and waits until it is in a phase; gives its name. */
export async function make(page, source, phase) {
  const { body } = await api(page, "POST", "/workspaces", { source });
  if (!body?.slug) throw new Error(`${source} was refused: ${JSON.stringify(body)}`);
  await until(page, body.slug, phase);
  return body.slug;
}

/** Deletes workspaces and waits until they are gone. */
export async function clear(page, slugs) {
  for (const slug of slugs) await api(page, "DELETE", `/workspaces/${slug}`);
  for (const slug of slugs) {
    await eventually(`${slug} is gone`, async () => (await api(page, "GET", `/workspaces/${slug}`)).status === 404);
  }
}

/** Tells a story in a browser; prints what it gives as one line of JSON, and exits 1 where it broke off. */
export async function story(tell, options = {}) {
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  try {
    console.log(JSON.stringify((await tell(context, browser)) ?? {}));
  } catch (error) {
    for (const [number, open] of context.pages().entries()) {
      say(`open page ${number}: ${open.url()}`);
      await shot(open, `broken-${number}`)?.catch(() => {});
    }
    console.error(error);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

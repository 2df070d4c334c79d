import { act, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "../src/app";
import * as router from "../src/router";

vi.mock("../src/router", { spy: true });

class FakeSource {
  static readonly CLOSED = 2;
  static all: FakeSource[] = [];
  readyState = 1;
  onopen?: () => void;
  onmessage?: (message: { data: string }) => void;
  onerror?: () => void;
  close = (): void => undefined;
  constructor(readonly url: string) {
    FakeSource.all.push(this);
  }
}

let seq = 0;
/** Says something on the workspace's stream of events, once the page listens. */
async function say(item: Record<string, unknown>): Promise<void> {
  const source = await waitFor(() => {
    const found = FakeSource.all.findLast((one) => one.url.endsWith("/events"));
    if (!found) throw new Error("nobody listens");
    return found;
  });
  act(() =>
    source.onmessage?.({ data: JSON.stringify({ seq: ++seq, at: new Date().toISOString(), ...item }) }),
  );
}

interface Printed {
  stream: string;
  text: string;
}

/** The log after a line, as the server sends it. */
function logAfter(after: number): Response {
  const at = new Date().toISOString();
  const lines = printed.map((line, index) => ({ seq: index + 1, at, ...line })).slice(after);
  const text = lines.map((line) => `data: ${JSON.stringify(line)}\nid: ${line.seq}\n\n`).join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

const FOX = {
  id: "ws_1",
  slug: "quiet-fox-7k2p",
  phase: "building",
  desired: "running",
  url: "http://quiet-fox-7k2p.localhost/",
  source: "https://h/a/b.git",
  resolution: null,
  failure: null as unknown,
  warnings: [] as unknown[],
  retry_at: null,
  user: null,
  folder: null,
  created_at: new Date().toISOString(),
  updated_at: new Date().toISOString(),
};

const PORT = {
  port: 3000,
  label: "web",
  url: "http://3000-quiet-fox-7k2p.localhost/",
  listening: true,
  visibility: "private",
};
const SILENT = {
  ...PORT,
  port: 9000,
  label: null,
  url: "http://9000-quiet-fox-7k2p.localhost/",
  listening: false,
};

const FAILURE = {
  step: "build",
  code: "dockerfile-step-failed",
  message: "Step 7 failed.",
  hint: "Fix the Dockerfile.",
  retryable: false,
  output: "make: no rule",
};

let workspace: typeof FOX;
let list: (typeof FOX)[] | undefined;
let signedIn: boolean;
let sent: string[];
let printed: Printed[];

function json(body: unknown, status = 200): Response {
  const type = status < 400 ? "application/json" : "application/problem+json";
  return new Response(status === 204 ? null : JSON.stringify(body), {
    status,
    headers: { "content-type": type },
  });
}

function problem(status: number, code: string, message: string): Response {
  return json({ status, code, message, hint: "Do this.", request_id: "req_1" }, status);
}

async function server(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = input instanceof Request ? input : new Request(new URL(input, location.origin), init);
  const { pathname: path, searchParams } = new URL(request.url);
  const call = `${request.method} ${path}`;
  sent.push(call);
  if (call === "GET /v1/version") return json({ name: "steading", version: "1.2.3" });
  if (call === "POST /session") return problem(401, "not-signed-in", "That token cannot sign a person in.");
  if (!signedIn) return problem(401, "not-signed-in", "Nobody is signed in.");
  if (call === "GET /v1/workspaces") {
    return json({ items: list ?? [workspace], total: 1, page: 1, per_page: 20 });
  }
  if (call === "GET /v1/me") return json({ user: "usr_1", role: "admin", scope: "all", session: true });
  if (call === "GET /v1/tokens") return json({ items: [] });
  if (call === "POST /v1/tokens") return json({ id: "tok_1", token: "std_secret" }, 201);
  if (path.endsWith("/logs")) return logAfter(Number(searchParams.get("after")));
  if (path.includes("/ports")) return json({ items: [PORT, SILENT] });
  if (path === `/v1/workspaces/${FOX.slug}/start`)
    workspace = { ...workspace, phase: "pending", desired: "running", failure: null };
  if (path === `/v1/workspaces/${FOX.slug}` && request.method === "DELETE") {
    workspace = { ...workspace, desired: "deleted" };
  }
  if (path.startsWith(`/v1/workspaces/${FOX.slug}`))
    return json(workspace, request.method === "GET" ? 200 : 202);
  return problem(404, "workspace-not-found", "There is no such workspace.");
}

beforeEach(() => {
  workspace = FOX;
  list = undefined;
  signedIn = true;
  sent = [];
  printed = [];
  FakeSource.all = [];
  vi.mocked(router.leave).mockReset();
  vi.stubGlobal("EventSource", FakeSource);
  vi.stubGlobal("fetch", server);
});

async function open(path: string): Promise<void> {
  history.replaceState(null, "", path);
  render(<App />);
  await screen.findByRole("heading", { level: 1 });
}

describe("a workspace's page", () => {
  it("follows the phases and offers the IDE when it is ready", async () => {
    await open(`/workspaces/${FOX.slug}`);
    expect(await screen.findByText("Getting the image…")).toBeVisible();
    expect(screen.queryByRole("link", { name: /Open VS Code/ })).toBeNull();
    workspace = { ...workspace, phase: "running" };
    await say({ event: "phase", detail: { phase: "running" } });
    const link = await screen.findByRole("link", { name: /Open VS Code/ });
    expect(link).toHaveAttribute("href", `/enter?host=${FOX.slug}&path=/`);
    expect(screen.getByText(/^Open VS Code and/).closest("[role=status]")).toHaveTextContent("Ready");
  });

  it("shows the log as text, by stream", async () => {
    await open(`/workspaces/${FOX.slug}`);
    await screen.findByRole("log");
    printed.push({ stream: "build", text: "\u001b[31m<b>red</b>" });
    expect(await screen.findByText("<b>red</b>")).toHaveClass("fg-red");
    printed.push({ stream: "clone", text: "cloned" });
    expect(await screen.findByText("cloned")).toBeVisible();
    expect(screen.getAllByText("<b>red</b>")).toHaveLength(1);
    await userEvent.selectOptions(screen.getByLabelText("Show output of"), "clone");
    expect(screen.queryByText("<b>red</b>")).toBeNull();
    expect(screen.getByText("cloned")).toBeVisible();
  });

  it("holds one connection, and does not look at the log of a workspace that stands still", async () => {
    workspace = { ...FOX, phase: "stopped", desired: "stopped" };
    printed.push({ stream: "ide", text: "the end" });
    await open(`/workspaces/${FOX.slug}`);
    expect(await screen.findByText("the end")).toBeVisible();
    expect(FakeSource.all.map((one) => one.url)).toEqual([`/v1/workspaces/${FOX.slug}/events`]);
    await new Promise((done) => setTimeout(done, 1_800));
    const looks = sent.filter((call) => call.endsWith("/logs")).length;
    await new Promise((done) => setTimeout(done, 1_500));
    expect(sent.filter((call) => call.endsWith("/logs"))).toHaveLength(looks);
    printed.push({ stream: "pull", text: "it moves" });
    await say({ event: "wanted", detail: { desired: "running" } });
    expect(await screen.findByText("it moves")).toBeVisible();
  });

  it("tells a failure with hint, code and output, and tries again", async () => {
    workspace = { ...FOX, phase: "failed", failure: FAILURE };
    await open(`/workspaces/${FOX.slug}`);
    const card = await screen.findByRole("alert");
    for (const text of ["Step 7 failed.", "Fix the Dockerfile.", "dockerfile-step-failed", "make: no rule"]) {
      expect(card).toHaveTextContent(text);
    }
    await userEvent.click(within(card).getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(sent).toContain(`POST /v1/workspaces/${FOX.slug}/start`));
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  });

  it("starts at once when its stopped address was opened, and goes on there when it runs", async () => {
    workspace = { ...FOX, phase: "stopped", desired: "stopped" };
    await open(`/workspaces/${FOX.slug}?start=1&host=3000-${FOX.slug}&path=%2Fa%3Fb%3Dc`);
    expect(await screen.findByText(/taken on to its port 3000/)).toBeVisible();
    await waitFor(() => expect(sent).toContain(`POST /v1/workspaces/${FOX.slug}/start`));
    expect(await screen.findByText("It is next in line…")).toBeVisible();
    expect(router.leave).not.toHaveBeenCalled();
    workspace = { ...workspace, phase: "running" };
    await say({ event: "phase", detail: { phase: "running" } });
    await waitFor(() =>
      expect(router.leave).toHaveBeenCalledWith(
        `/enter?host=3000-${FOX.slug}&path=${encodeURIComponent("/a?b=c")}`,
      ),
    );
    expect(sent.filter((call) => call.endsWith("/start"))).toHaveLength(1);
  });

  it("can be kept from going on", async () => {
    await open(`/workspaces/${FOX.slug}?start=1`);
    await userEvent.click(await screen.findByRole("button", { name: "Stay on this page" }));
    workspace = { ...workspace, phase: "running" };
    await say({ event: "phase", detail: { phase: "running" } });
    expect(await screen.findByRole("link", { name: /Open VS Code/ })).toBeVisible();
    expect(router.leave).not.toHaveBeenCalled();
  });

  it("keeps the focus of the keyboard when the pressed button goes", async () => {
    workspace = { ...FOX, phase: "stopped", desired: "stopped" };
    await open(`/workspaces/${FOX.slug}`);
    (await screen.findByRole("button", { name: "Start" })).focus();
    await userEvent.keyboard("{Enter}");
    await waitFor(() => expect(screen.queryByRole("button", { name: "Start" })).toBeNull());
    expect(screen.getByRole("heading", { level: 1 })).toHaveFocus();
  });

  it("shows its address, and a port's; opening one to everybody asks first", async () => {
    workspace = { ...FOX, phase: "running" };
    await open(`/workspaces/${FOX.slug}`);
    expect(await screen.findByRole("link", { name: FOX.url })).toHaveAttribute("href", FOX.url);
    expect(await screen.findByRole("link", { name: /3000-quiet-fox/ })).toHaveAttribute("href", PORT.url);
    expect(screen.getByText("9000")).toBeVisible();
    expect(screen.getByText(/Start its program/)).toBeVisible();
    const choice = screen.getByLabelText("Who may open port 3000");
    await userEvent.selectOptions(choice, "public");
    expect(sent.some((call) => call.startsWith("PUT"))).toBe(false);
    await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
    expect(choice).toHaveValue("private");
    await userEvent.selectOptions(choice, "public");
    await userEvent.click(screen.getByRole("button", { name: "Open it" }));
    await waitFor(() => expect(sent).toContain(`PUT /v1/workspaces/${FOX.slug}/ports/3000`));
  });

  it("says what deleting loses before it deletes", async () => {
    await open(`/workspaces/${FOX.slug}`);
    await userEvent.click(await screen.findByRole("button", { name: "Delete" }));
    const dialog = screen.getByRole("dialog");
    expect(dialog).toHaveTextContent("not pushed");
    expect(within(dialog).getByRole("button", { name: "Cancel" })).toHaveFocus();
    await userEvent.click(within(dialog).getByRole("button", { name: "Cancel" }));
    expect(screen.getByRole("button", { name: "Delete" })).toHaveFocus();
    expect(sent.some((call) => call.startsWith("DELETE"))).toBe(false);
    await userEvent.keyboard("{Enter}");
    await userEvent.click(screen.getByRole("button", { name: "Delete it" }));
    await waitFor(() => expect(location.pathname).toBe("/"));
    expect(sent).toContain(`DELETE /v1/workspaces/${FOX.slug}`);
  });

  it("that does not exist says so", async () => {
    await open("/workspaces/no-such-1a2b");
    expect(await screen.findByRole("heading", { name: "There is no such workspace" })).toBeVisible();
  });
});

describe("the frame", () => {
  it("has the server lead to the sign-in page, and remember the way back, when nobody is signed in", async () => {
    signedIn = false;
    await open(`/workspaces/${FOX.slug}?x=1`);
    const path = `/sign-in?next=${encodeURIComponent(`/workspaces/${FOX.slug}?x=1`)}`;
    await waitFor(() => expect(router.leave).toHaveBeenCalledWith(path));
  });

  it("asks nobody to sign in who is about to", async () => {
    signedIn = false;
    await open(`/sign-in?next=%2Fworkspaces%2F${FOX.slug}`);
    expect(await screen.findByRole("heading", { name: "Sign in" })).toBeVisible();
    expect(router.leave).not.toHaveBeenCalled();
  });

  it("keeps a token that does not hold on the form", async () => {
    await open("/sign-in?spent=1");
    expect(screen.getByText("That link was used already, or it has expired.")).toBeVisible();
    await userEvent.type(screen.getByLabelText("API token"), "nope");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByText("That token cannot sign a person in.")).toBeVisible();
  });

  it("keeps what was typed while one searches the list", async () => {
    await open("/new?url=https://h/a/b");
    await userEvent.type(screen.getByLabelText(/Branch/), "dev");
    await userEvent.type(await screen.findByLabelText(/^Search/), "fox");
    await waitFor(() => expect(location.search).toBe("?text=fox"));
    expect(screen.getByLabelText("Git URL")).toHaveValue("https://h/a/b");
    expect(screen.getByLabelText(/Branch/)).toHaveValue("dev");
  });

  it("leaves a search by links and by Back", async () => {
    await open("/");
    const search = await screen.findByLabelText(/^Search/);
    await userEvent.type(search, "two words ");
    await waitFor(() => expect(location.search).toBe("?text=two+words"));
    expect(search).toHaveValue("two words ");
    await userEvent.click(screen.getByRole("link", { name: "Workspaces" }));
    expect(search).toHaveValue("");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(location.search).toBe("");
    act(() => router.navigate("/?text=owl"));
    expect(search).toHaveValue("owl");
  });

  it("gives the focus of a row that goes to the row in its place", async () => {
    list = [FOX, { ...FOX, id: "ws_2", slug: "calm-owl-1a2b" }, { ...FOX, id: "ws_3", slug: "old-hen-3c4d" }];
    await open("/");
    (await screen.findByRole("button", { name: "Delete calm-owl-1a2b" })).focus();
    list = [list[0] as typeof FOX, list[2] as typeof FOX];
    document.dispatchEvent(new Event("visibilitychange"));
    await waitFor(() => expect(screen.queryByText("calm-owl-1a2b")).toBeNull());
    expect(screen.getByRole("link", { name: "old-hen-3c4d" })).toHaveFocus();
  });

  it("moves the focus to the heading of the page one goes to", async () => {
    await open("/settings");
    await userEvent.click(screen.getByRole("link", { name: "Workspaces" }));
    expect(await screen.findByRole("heading", { level: 1 })).toHaveTextContent("Paste a Git URL");
    expect(document.title).toBe("Steading");
    expect(screen.getByRole("heading", { level: 1 })).toHaveFocus();
    expect(await screen.findByRole("link", { name: FOX.slug })).toBeVisible();
  });
});

describe("the settings", () => {
  it("sign out everywhere, once that was meant", async () => {
    await open("/settings");
    await userEvent.click(screen.getByRole("button", { name: "Sign out everywhere" }));
    expect(screen.getByRole("dialog")).toHaveTextContent("API tokens stay");
    expect(sent.some((call) => call.startsWith("DELETE"))).toBe(false);
    await userEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Sign out" }));
    await waitFor(() => expect(sent).toContain("DELETE /v1/sessions"));
  });

  it("show a new token once", async () => {
    await open("/settings");
    await userEvent.type(await screen.findByLabelText("What it is for"), "laptop");
    await userEvent.click(screen.getByRole("button", { name: "Create token" }));
    expect(await screen.findByText("std_secret")).toBeVisible();
    await userEvent.click(screen.getByRole("button", { name: "I have it" }));
    expect(screen.queryByText("std_secret")).toBeNull();
  });
});

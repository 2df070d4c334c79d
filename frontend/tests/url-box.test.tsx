import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { UrlBox } from "../src/components/UrlBox";
import { request } from "../src/workspace/inquiry";
import { looksLikeSource, shortSource } from "../src/workspace/source";

describe("what looks like a source", () => {
  it.each([
    "https://github.com/owner/repository",
    "http://localhost:3000/a.git#main",
    "ssh://git@host/a/b.git",
    "git+https://host/a",
    "git@github.com:owner/repository.git",
    "/srv/git/a",
    "/srv/my projects/a b",
    "owner/repository",
    "github.com/owner/repository",
    "~/a",
    "file:///srv/git/a",
  ])("%s does", (text) => expect(looksLikeSource(text)).toBe(true));

  it.each(["", "h", "https://", "https://github.com", "https://github.com/", "git@host:", "a b", "/"])(
    "%j does not yet",
    (text) => expect(looksLikeSource(text)).toBe(false),
  );

  it("has a short form", () => {
    expect(shortSource("https://github.com/a/b.git#dev")).toBe("github.com/a/b#dev");
    expect(shortSource("ssh://git@host/a/b.git")).toBe("host/a/b");
  });
});

describe("the request", () => {
  const draft = { source: " https://h/a ", reference: "", config: "c", template: "" };
  it("leaves out what was not chosen", () => {
    expect(request(draft)).toEqual({ source: "https://h/a", config: "c" });
    expect(request({ ...draft, template: "rust", reference: "dev" })).toEqual({
      source: "https://h/a",
      template: "rust",
      reference: "dev",
    });
  });
});

const RESOLUTION = {
  kind: "devcontainer",
  because: "The repository has two configurations.",
  commit: "3f786850e387550fdab836ed7e6dc881de23001b",
  branch: "main",
  config: "a/devcontainer.json",
  template: null,
  image: "example:1",
  dockerfile: null,
  choices: ["a/devcontainer.json", "b/devcontainer.json"],
  diagnostics: [
    {
      severity: "warning",
      code: "odd",
      file: "a/devcontainer.json",
      line: 3,
      message: "Odd.",
      hint: "Fix it.",
    },
  ],
};
const EMPTY = { source: "", reference: "", config: "", template: "" };

interface Sent {
  path: string;
  body: unknown;
  key: string | null;
}
let sent: Sent[];
let replies: Record<string, () => Response>;

beforeEach(() => {
  sent = [];
  const json = (body: unknown, status = 200) =>
    new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
  replies = {
    "/v1/resolve": () => json(RESOLUTION),
    "/v1/refs": () =>
      json({ default: "main", branches: ["main", "dev", "fix/main"], tags: ["v2", "dev"], more: false }),
    "/v1/templates": () => json({ items: [{ id: "rust", name: "Rust", description: "Cargo and friends." }] }),
    "/v1/workspaces": () => json({ slug: "quiet-fox-7k2p" }, 201),
  };
  vi.stubGlobal("fetch", async (request: Request) => {
    const path = new URL(request.url).pathname;
    const text = await request.text();
    sent.push({ path, body: text ? JSON.parse(text) : null, key: request.headers.get("idempotency-key") });
    return replies[path]?.() ?? json({ code: "no-such-path", message: path }, 404);
  });
});

const asked = (path: string) => sent.filter((one) => one.path === path);

describe("the URL box", () => {
  it("says what will be used and why, and asks once for a whole URL", async () => {
    render(<UrlBox initial={EMPTY} />);
    await userEvent.type(screen.getByLabelText("Git URL"), "https://h/a/b", { delay: 1 });
    const preview = await screen.findByRole("region", { name: "What will be used" });
    await within(preview).findByText("a/devcontainer.json", { selector: "dd code" });
    expect(within(preview).getByText("Fix it.")).toBeVisible();
    expect(asked("/v1/resolve")).toHaveLength(1);
  });

  it("lets one choose among several configurations", async () => {
    render(<UrlBox initial={{ ...EMPTY, source: "https://h/a/b" }} />);
    await userEvent.click(await screen.findByRole("radio", { name: "b/devcontainer.json" }));
    await waitFor(() =>
      expect(asked("/v1/resolve").at(-1)?.body).toEqual({
        source: "https://h/a/b",
        config: "b/devcontainer.json",
      }),
    );
  });

  it("shows a refusal with its hint", async () => {
    replies["/v1/resolve"] = () =>
      new Response(JSON.stringify({ code: "no-such-repository", message: "Not found.", hint: "Check it." }), {
        status: 422,
        headers: { "content-type": "application/problem+json" },
      });
    render(<UrlBox initial={{ ...EMPTY, source: "https://h/a/b" }} />);
    const alert = await screen.findByRole("alert");
    expect(alert).toHaveTextContent("Not found.");
    expect(alert).toHaveTextContent("Check it.");
    expect(alert).toHaveTextContent("no-such-repository");
  });

  it("takes what the server says was meant", async () => {
    replies["/v1/resolve"] = () =>
      new Response(
        JSON.stringify({
          code: "source-invalid",
          message: "That is not a Git URL.",
          hint: "Did you mean https://github.com/o/r?",
        }),
        { status: 422, headers: { "content-type": "application/problem+json" } },
      );
    render(<UrlBox initial={{ ...EMPTY, source: "o/r" }} />);
    await userEvent.click(await screen.findByRole("button", { name: "Use https://github.com/o/r" }));
    expect(screen.getByLabelText("Git URL")).toHaveValue("https://github.com/o/r");
  });

  it("forgets the branch with its repository, not with half an address", async () => {
    render(<UrlBox initial={EMPTY} />);
    await userEvent.type(screen.getByLabelText(/Branch/), "dev");
    await userEvent.click(screen.getByLabelText("Git URL"));
    await userEvent.paste("https://h/a/b");
    expect(screen.getByLabelText(/Branch/)).toHaveValue("dev");
    await screen.findByText("example:1");
    await userEvent.clear(screen.getByLabelText("Git URL"));
    await userEvent.paste("https://h/a/other");
    expect(screen.getByLabelText(/Branch/)).toHaveValue("");
  });

  it("suggests branches and tags, the default one marked, and takes one by keyboard", async () => {
    render(<UrlBox initial={{ ...EMPTY, source: "https://h/a/b#dev" }} />);
    const box = screen.getByRole("combobox", { name: /Branch/ });
    await waitFor(() =>
      expect(asked("/v1/refs").map((one) => one.body)).toEqual([{ source: "https://h/a/b" }]),
    );
    await waitFor(() => expect(box).toHaveAttribute("placeholder", "main"));
    await userEvent.click(box);
    const list = await screen.findByRole("listbox", { name: "Branches and tags" });
    const names = () =>
      within(list)
        .getAllByRole("option")
        .map((option) => option.textContent);
    expect(names()).toEqual(["main default", "dev ", "fix/main ", "v2 tag"]);
    await userEvent.type(box, "MA");
    expect(names()).toEqual(["main default", "fix/main "]);
    await userEvent.keyboard("{ArrowDown}{ArrowDown}");
    const second = within(list).getByRole("option", { selected: true });
    expect(second).toHaveTextContent("fix/main");
    expect(box).toHaveAttribute("aria-activedescendant", second.id);
    await userEvent.keyboard("{Enter}");
    expect(box).toHaveValue("fix/main");
    expect(screen.queryByRole("listbox")).toBeNull();
    expect(asked("/v1/workspaces")).toHaveLength(0);
  });

  it("closes the suggestions without taking one, and takes anything that is typed", async () => {
    render(<UrlBox initial={{ ...EMPTY, source: "https://h/a/b" }} />);
    const box = screen.getByRole("combobox", { name: /Branch/ });
    await userEvent.type(box, "v");
    await userEvent.click(await screen.findByRole("option", { name: "v2 tag" }));
    expect(box).toHaveValue("v2");
    await userEvent.clear(box);
    await userEvent.type(box, "d{ArrowDown}{Escape}");
    expect(screen.queryByRole("listbox")).toBeNull();
    expect(box).toHaveValue("d");
    await userEvent.clear(box);
    await userEvent.type(box, "1a2b3c4");
    expect(screen.queryByRole("listbox")).toBeNull();
    await userEvent.click(screen.getByRole("button", { name: "Create workspace" }));
    await waitFor(() => expect(asked("/v1/workspaces")[0]?.body).toMatchObject({ reference: "1a2b3c4" }));
  });

  it("makes a workspace and goes there", async () => {
    render(<UrlBox initial={{ ...EMPTY, source: "https://h/a/b" }} />);
    await userEvent.click(screen.getByRole("button", { name: "Create workspace" }));
    await waitFor(() => expect(window.location.pathname).toBe("/workspaces/quiet-fox-7k2p"));
  });

  it("keeps the key of a wish whose answer was lost, and takes a new one for another wish", async () => {
    const reply = replies["/v1/workspaces"] as () => Response;
    replies["/v1/workspaces"] = () => {
      throw new TypeError("Failed to fetch");
    };
    render(<UrlBox initial={{ ...EMPTY, source: "https://h/a/b" }} />);
    const button = screen.getByRole("button", { name: "Create workspace" });
    await userEvent.click(button);
    expect(await screen.findByText("Steading does not answer.")).toBeVisible();
    await userEvent.click(button);
    await waitFor(() => expect(asked("/v1/workspaces")).toHaveLength(2));
    await userEvent.type(screen.getByLabelText(/Branch/), "dev");
    replies["/v1/workspaces"] = reply;
    await userEvent.click(button);
    await waitFor(() => expect(asked("/v1/workspaces")).toHaveLength(3));
    const [first, second, third] = asked("/v1/workspaces").map((one) => one.key);
    expect(first).toBeTruthy();
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  it("does not send what cannot be a source", async () => {
    render(<UrlBox initial={{ ...EMPTY, source: "my repository" }} />);
    await userEvent.click(screen.getByRole("button", { name: "Create workspace" }));
    expect(screen.getByRole("alert")).toHaveTextContent("That is not a Git URL yet.");
    expect(asked("/v1/workspaces")).toHaveLength(0);
  });
});

import { describe, expect, it } from "vitest";
import { localPath, route, signInPath } from "../src/router";
import { draftFrom } from "../src/pages/Home";
import { control, terminalUrl } from "../src/terminal/socket";
import { errandOf } from "../src/workspace/errand";
import { age, duration } from "../src/age";

describe("a path", () => {
  it("shows a page", () => {
    expect(route("/")).toEqual({ page: "home" });
    expect(route("/new")).toEqual({ page: "home" });
    expect(route("/workspaces/quiet-fox-7k2p/")).toEqual({ page: "workspace", name: "quiet-fox-7k2p" });
    expect(route("/workspaces/%E0%A4%A")).toEqual({ page: "workspace", name: "%E0%A4%A" });
    expect(route("/workspaces/a/b")).toEqual({ page: "unknown" });
  });
});

describe("where one goes after signing in", () => {
  it("is on this server", () => {
    expect(localPath("/enter?host=a&path=/")).toBe("/enter?host=a&path=/");
    expect(signInPath(new URL("http://x/workspaces/a?start=1"))).toBe(
      "/sign-in?next=%2Fworkspaces%2Fa%3Fstart%3D1",
    );
  });

  it.each([
    null,
    "",
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "/.//evil.example",
    "/..//evil.example",
    "/./\\evil.example",
    "/a/..//evil.example",
    "/%2e//evil.example",
  ])("is never %j", (next) => expect(localPath(next)).toBe("/"));
});

describe("a deep link", () => {
  it("fills the form", () => {
    expect(draftFrom(new URL("http://x/new?url=https://h/a/b&branch=dev"))).toEqual({
      source: "https://h/a/b",
      reference: "dev",
      config: "",
      template: "",
    });
    expect(draftFrom(new URL("http://x/?url=https://h/a/b")).source).toBe("");
  });
});

describe("where somebody was going when a stopped workspace stood in the way", () => {
  const errand = (query: string) => errandOf(new URL(`http://x/workspaces/fox-1a?${query}`), "fox-1a");

  it("is the workspace's own address or one of its ports", () => {
    expect(errand("start=1&host=fox-1a&path=%2F%3Ffolder%3Da")).toEqual({
      host: "fox-1a",
      path: "/?folder=a",
    });
    expect(errand("start=1&host=3000-fox-1a&path=/api")).toEqual({ host: "3000-fox-1a", path: "/api" });
    expect(errand("start=1")).toEqual({ host: "fox-1a", path: "/" });
    expect(errand("host=fox-1a")).toBeUndefined();
  });

  it.each([
    "other-2b",
    "3000-other-2b",
    "70000-fox-1a",
    "03-fox-1a",
    "x-fox-1a",
    "fox-1a.evil.example",
    "fox-1a/",
  ])("is never %j", (host) =>
    expect(errand(`start=1&host=${host}&path=/a`)).toEqual({ host: "fox-1a", path: "/" }),
  );

  it("stays on its host", () => {
    expect(errand("start=1&host=fox-1a&path=//evil.example")?.path).toBe("/");
    expect(errand("start=1&host=fox-1a&path=https://evil.example")?.path).toBe("/");
  });
});

describe("the terminal's socket", () => {
  it("has its address and size", () => {
    expect(terminalUrl("a", 80, 24, new URL("https://h:1/workspaces/a"))).toBe(
      "wss://h:1/v1/workspaces/a/terminal?columns=80&rows=24",
    );
  });

  it("says how it ends", () => {
    expect(control('{"exit":3}')).toEqual({ kind: "exit", code: 3 });
    expect(control('{"problem":{"code":"c","message":"m"}}')).toEqual({
      kind: "problem",
      code: "c",
      message: "m",
      hint: undefined,
    });
    expect(control("rubbish")).toBeUndefined();
    expect(control("null")).toBeUndefined();
  });
});

describe("time in words", () => {
  it("is short", () => {
    const now = Date.parse("2030-01-02T00:00:00Z");
    expect(age("2030-01-01T23:59:30Z", now)).toBe("just now");
    expect(age("2030-01-01T23:57:00Z", now)).toBe("3 minutes ago");
    expect(age("2030-01-01T00:00:00Z", now)).toBe("yesterday");
    expect(duration(40)).toBe("at once");
    expect(duration(400)).toBe("0.4 s");
    expect(duration(200_000)).toBe("3 min 20 s");
  });
});

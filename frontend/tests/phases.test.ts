import { describe, expect, it } from "vitest";
import type { Phase, WorkspaceEvent } from "../src/api/types";
import { streamName } from "../src/log/stream";
import { headline, isMoving, logPace, station, steps } from "../src/workspace/phases";
import { label, offered } from "../src/workspace/operations";
import { told } from "../src/workspace/story";

let seq = 0;
function event(second: number, name: string, detail: Record<string, unknown> = {}): WorkspaceEvent {
  return { seq: ++seq, at: new Date(second * 1000).toISOString(), event: name, detail };
}

function at(phase: Phase, failure: { step: string; message: string } | null = null) {
  const full = failure && { ...failure, code: "x", hint: null, retryable: false, output: null };
  return { phase, desired: "running", failure: full, resolution: null } as unknown as Parameters<
    typeof steps
  >[0] &
    Parameters<typeof headline>[0];
}

const START = [
  event(0, "created"),
  event(1, "phase", { phase: "resolving" }),
  event(3, "phase", { phase: "building" }),
  event(10, "phase", { phase: "starting" }),
  event(11, "phase", { phase: "initializing" }),
];
const states = (...args: Parameters<typeof steps>) => steps(...args).map((step) => step.state);

describe("the stations of a start", () => {
  it("are done, current and to come", () => {
    expect(states(at("building"), START.slice(0, 3))).toEqual([
      "done",
      "current",
      "todo",
      "todo",
      "todo",
      "todo",
    ]);
  });

  it("tell cloning from hooks by what the events say", () => {
    expect(station(at("initializing"), START)).toBe("clone");
    expect(
      station(at("initializing"), [...START, event(12, "hook-started", { stage: "onCreateCommand" })]),
    ).toBe("hooks");
  });

  it("say how long each took", () => {
    const [resolve, build] = steps(at("running"), [...START, event(12, "phase", { phase: "running" })]);
    expect([resolve?.took, build?.took]).toEqual([2000, 7000]);
  });

  it("forget an earlier start", () => {
    const events = [
      ...START,
      event(20, "wanted", { desired: "running" }),
      event(21, "phase", { phase: "starting" }),
    ];
    const [resolve, , start] = steps(at("starting"), events);
    expect(resolve?.state).toBe("done");
    expect(resolve?.took).toBeUndefined();
    expect(start).toMatchObject({ state: "current", since: new Date(21_000).toISOString() });
  });

  it("mark the one that failed", () => {
    expect(states(at("failed", { step: "populate", message: "no" }), START)).toEqual([
      "done",
      "done",
      "done",
      "failed",
      "todo",
      "todo",
    ]);
    // A step that this page does not know: the last station that was reached.
    expect(station(at("failed", { step: "something-new", message: "no" }), START.slice(0, 3))).toBe("build");
  });

  it("are all done when it runs, whatever hooks still run", () => {
    const events = [
      ...START,
      event(12, "phase", { phase: "running" }),
      event(13, "hook-started", { stage: "x" }),
    ];
    expect(new Set(states(at("running"), events))).toEqual(new Set(["done"]));
  });
});

describe("the headline", () => {
  it("names what is going on", () => {
    expect(headline(at("building"), START.slice(0, 3))).toBe("Getting the image…");
    expect(headline(at("failed", { step: "build", message: "Step 7 failed." }), [])).toBe(
      "It did not get past “Image”.",
    );
    expect(headline({ ...at("running"), desired: "deleted" }, [])).toMatch(/being removed/);
  });
});

describe("hooks that run on", () => {
  it("are told until they end", () => {
    const started = [
      ...START,
      event(12, "phase", { phase: "running" }),
      event(12, "hook-started", { stage: "x" }),
    ];
    expect(headline(at("running"), started)).toBe("Open VS Code. x is still running.");
    const ended = [...started, event(14, "hook-finished", { stage: "x", exit: 0 })];
    expect(headline(at("running"), ended)).toMatch(/^Open VS Code and/);
  });
});

describe("the log", () => {
  it("is looked at while something may be printed", () => {
    const late = [event(12, "phase", { phase: "running" }), event(12, "hook-started", { stage: "x" })];
    expect(logPace({ phase: "building", desired: "running" }, [])).toBeLessThan(1_000);
    expect(logPace({ phase: "running", desired: "running" }, late)).toBeLessThan(1_000);
    expect(logPace({ phase: "running", desired: "running" }, [])).toBeGreaterThan(1_000);
    expect(logPace({ phase: "stopped", desired: "stopped" }, [])).toBe(0);
    expect(logPace({ phase: "failed", desired: "running" }, [])).toBe(0);
  });

  it("calls its streams by short names that differ", () => {
    const names = ["hook:onCreateCommand", "hook:postCreateCommand", "hook:postStartCommand:a", "pull"];
    expect(names.map(streamName)).toEqual(["onCreate", "postCreate", "postStart:a", "pull"]);
  });
});

describe("a workspace", () => {
  it("moves until it is what its owner wants", () => {
    expect(isMoving({ phase: "building", desired: "running" })).toBe(true);
    expect(isMoving({ phase: "stopped", desired: "running" })).toBe(true);
    expect(isMoving({ phase: "failed", desired: "deleted" })).toBe(true);
    expect(isMoving({ phase: "failed", desired: "running" })).toBe(false);
    expect(isMoving({ phase: "running", desired: "running" })).toBe(false);
  });
});

describe("what is offered", () => {
  it("fits the phase", () => {
    expect(offered({ phase: "running", desired: "running" })).toEqual(["stop", "rebuild", "delete"]);
    expect(offered({ phase: "failed", desired: "running" })[0]).toBe("start");
    expect(label("start", "failed")).toBe("Try again");
    expect(offered({ phase: "stopped", desired: "deleted" })).toEqual([]);
  });
});

describe("the story", () => {
  it("tells a hook that failed", () => {
    expect(told(event(1, "hook-finished", { stage: "postCreateCommand", exit: 3 }))).toEqual({
      text: "postCreateCommand ended with exit code 3.",
      tone: "warning",
    });
  });

  it("survives events and details it does not know", () => {
    expect(told(event(1, "something-new")).text).toBe("something new");
    expect(told(event(1, "failed", { failure: 7 })).tone).toBe("danger");
    expect(told(event(1, "phase", { phase: null })).text).toBeTypeOf("string");
  });
});

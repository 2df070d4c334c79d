import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as api from "../src/api/follow";

const stops: (() => void)[] = [];
/** Follows until the test ends. */
const follow: typeof api.follow = (path, handlers) => {
  const stop = api.follow(path, handlers);
  stops.push(stop);
  return stop;
};

class FakeSource {
  static readonly CLOSED = 2;
  static all: FakeSource[] = [];
  readyState = 1;
  onopen?: () => void;
  onmessage?: (message: { data: string }) => void;
  onerror?: () => void;
  close = vi.fn();
  constructor(readonly url: string) {
    FakeSource.all.push(this);
  }
  say(seq: number) {
    this.onmessage?.({ data: JSON.stringify({ seq }) });
  }
  refuse() {
    this.readyState = FakeSource.CLOSED;
    this.onerror?.();
  }
}

beforeEach(() => {
  FakeSource.all = [];
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
});

/** The page is hidden behind another tab, or shown again. */
function see(state: DocumentVisibilityState) {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  document.dispatchEvent(new Event("visibilitychange"));
}

const latest = () => FakeSource.all.at(-1) as FakeSource;

describe("a stream", () => {
  it("passes each item on once, in spite of repetitions and rubbish", () => {
    const seen: number[] = [];
    follow<{ seq: number }>("/x", { message: ({ seq }) => seen.push(seq) });
    for (const seq of [1, 2, 2, 1, 3]) latest().say(seq);
    latest().onmessage?.({ data: "not json" });
    expect(seen).toEqual([1, 2, 3]);
  });

  it("leaves a broken connection to the browser", () => {
    follow("/x", { message: () => undefined });
    latest().onerror?.();
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.all).toHaveLength(1);
  });

  it("asks again after the last item when it was refused, ever more slowly", () => {
    const refused = vi.fn();
    follow("/x", { message: () => undefined, refused });
    latest().say(41);
    latest().refuse();
    expect(refused).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(1_000);
    expect(latest().url).toBe("/x?after=41");
    latest().refuse();
    vi.advanceTimersByTime(1_000);
    expect(FakeSource.all).toHaveLength(2);
    vi.advanceTimersByTime(1_000);
    expect(FakeSource.all).toHaveLength(3);
  });

  it("is held only while the page can be seen, and goes on where it was", () => {
    const stop = follow("/x", { message: () => undefined });
    latest().say(7);
    see("hidden");
    expect(latest().close).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.all).toHaveLength(1);
    see("visible");
    see("visible");
    expect(FakeSource.all).toHaveLength(2);
    expect(latest().url).toBe("/x?after=7");
    stop();
    see("hidden");
    see("visible");
    expect(FakeSource.all).toHaveLength(2);
  });

  it("is not opened by a page that nobody sees", () => {
    see("hidden");
    const stop = follow("/x", { message: () => undefined });
    expect(FakeSource.all).toHaveLength(0);
    see("visible");
    expect(FakeSource.all).toHaveLength(1);
    stop();
  });

  it("is not asked for again by a page that nobody sees", () => {
    const stop = follow("/x", { message: () => undefined });
    latest().refuse();
    see("hidden");
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.all).toHaveLength(1);
    stop();
  });

  it("ends when it is no longer wanted", () => {
    const stop = follow("/x", { message: () => undefined });
    latest().refuse();
    stop();
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.all).toHaveLength(1);
    expect(latest().close).toHaveBeenCalled();
  });
});

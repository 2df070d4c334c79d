import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { follow } from "../src/api/follow";

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
afterEach(() => vi.useRealTimers());

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

  it("ends when it is no longer wanted", () => {
    const stop = follow("/x", { message: () => undefined });
    latest().refuse();
    stop();
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.all).toHaveLength(1);
    expect(latest().close).toHaveBeenCalled();
  });
});

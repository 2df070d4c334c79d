import { renderHook, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Problem } from "../src/api/problem";
import { parseLines } from "../src/log/read";
import { usePoll } from "../src/poll";
import { turns } from "../src/turns";

afterEach(() => vi.useRealTimers());

/** A task whose turns end when they are told to. */
function slow() {
  const ends: (() => void)[] = [];
  const signals: AbortSignal[] = [];
  const task = (signal: AbortSignal): Promise<void> => {
    signals.push(signal);
    return new Promise((resolve) => {
      ends.push(resolve);
      signal.addEventListener("abort", () => resolve());
    });
  };
  return { task, ends, signals };
}

const settled = () => new Promise((done) => setTimeout(done, 0));

describe("turns", () => {
  it("let one that is under way end, and take one more for all who asked meanwhile", async () => {
    const { task, ends, signals } = slow();
    const { ask } = turns(task);
    for (let n = 0; n < 5; n++) ask();
    expect(signals).toHaveLength(1);
    expect(signals[0]?.aborted).toBe(false);
    ends[0]?.();
    await settled();
    expect(signals).toHaveLength(2);
    ends[1]?.();
    await settled();
    expect(signals).toHaveLength(2);
  });

  it("lose patience with one that never ends", async () => {
    const { task, signals } = slow();
    const { ask } = turns(task, 20);
    ask();
    ask();
    await vi.waitFor(() => expect(signals).toHaveLength(2));
    expect((signals[0]?.reason as Problem).code).toBe("no-answer");
  });

  it("end", async () => {
    const { task, signals } = slow();
    const { ask, end } = turns(task);
    ask();
    ask();
    end();
    await settled();
    ask();
    expect(signals).toHaveLength(1);
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe("a poll", () => {
  it("shows an answer that takes longer than its interval", async () => {
    let asked = 0;
    const load = (signal: AbortSignal): Promise<number> =>
      new Promise((resolve, reject) => {
        const answer = ++asked;
        const timer = setTimeout(() => resolve(answer), 120);
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          reject(new DOMException("off", "AbortError"));
        });
      });
    const { result, unmount } = renderHook(() => usePoll(load, 20));
    await waitFor(() => expect(result.current.data).toBe(1));
    await waitFor(() => expect(result.current.data).toBe(2));
    unmount();
  });
});

describe("an answer with log lines", () => {
  it("is read line by line, and rubbish is skipped", () => {
    const text = ':\n\ndata: {"seq":1,"text":"a"}\nid: 1\n\ndata: nonsense\n\ndata:{"seq":2,"text":"b"}\n\n';
    expect(parseLines(text).map(({ seq }) => seq)).toEqual([1, 2]);
  });
});

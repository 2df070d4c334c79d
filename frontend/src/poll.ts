import { useCallback, useEffect, useRef, useState } from "react";
import { isAbort, Problem } from "./api/problem";
import { turns, type Turns } from "./turns";

/** What was loaded, what went wrong the last time, and how to load it now. */
export interface Polled<T> {
  data: T | undefined;
  problem: Problem | undefined;
  reload: () => void;
}

/**
 * Loads something now and again every `interval` milliseconds while the page can be seen; 0 loads it once.
 * `load` must keep its identity (`useCallback`): a new one starts afresh.
 */
export function usePoll<T>(load: (signal: AbortSignal) => Promise<T>, interval: number): Polled<T> {
  const [data, setData] = useState<T>();
  const [problem, setProblem] = useState<Problem>();
  const loading = useRef<Turns>(undefined);
  const reload = useCallback(() => loading.current?.ask(), []);

  useEffect(() => {
    let isOver = false;
    const current = turns(async (signal) => {
      try {
        const loaded = await load(signal);
        if (isOver) return;
        setData(loaded);
        setProblem(undefined);
      } catch (thrown) {
        if (!isOver && !isAbort(thrown)) setProblem(Problem.of(thrown));
      }
    });
    loading.current = current;
    current.ask();
    return () => {
      isOver = true;
      current.end();
    };
  }, [load]);

  useEffect(() => {
    const again = (): void => {
      if (document.visibilityState === "visible") reload();
    };
    document.addEventListener("visibilitychange", again);
    const timer = interval > 0 ? setInterval(again, interval) : undefined;
    return () => {
      document.removeEventListener("visibilitychange", again);
      clearInterval(timer);
    };
  }, [reload, interval]);

  return { data, problem, reload };
}

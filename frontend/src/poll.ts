import { useCallback, useEffect, useRef, useState } from "react";
import { isAbort, Problem } from "./api/problem";

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
  const running = useRef<AbortController>(undefined);

  const reload = useCallback(() => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    load(controller.signal).then(
      (loaded) => {
        if (controller.signal.aborted) return;
        setData(loaded);
        setProblem(undefined);
      },
      (thrown: unknown) => {
        if (controller.signal.aborted || isAbort(thrown)) return;
        setProblem(Problem.of(thrown));
      },
    );
  }, [load]);

  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);

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

import { useEffect, useRef, useState } from "react";
import { isAbort } from "../api/problem";
import type { LogLine } from "../api/types";
import { turns, type Turns } from "../turns";
import { readLog } from "./read";

/** So many lines are kept in the page; the server keeps more. */
export const KEPT_LINES = 4_000;
/** What is printed just as something happens may be written a moment after that. */
const AFTERWARDS = 1_500;
/** After an answer that did not come, in milliseconds. */
const AGAIN = 4_000;

/** What is shown of a log. */
export interface Log {
  lines: readonly LogLine[];
  /** Lines that were left out at the beginning. */
  dropped: number;
  state: "reading" | "read" | "broken";
}

const EMPTY: Log = { lines: [], dropped: 0, state: "reading" };

/** Adds lines and forgets the oldest beyond the limit. */
export function append(log: Log, fresh: readonly LogLine[], limit = KEPT_LINES): Log {
  const lines = [...log.lines, ...fresh];
  const over = Math.max(0, lines.length - limit);
  return { ...log, lines: over > 0 ? lines.slice(over) : lines, dropped: log.dropped + over };
}

/**
 * A workspace's log: what is there, and more of it every `pace` milliseconds (0: never by itself) and whenever `bell`
 * changes, while the page can be seen. It takes short looks rather than one long stream, because the tab's one stream is
 * for the events.
 */
export function useLog(name: string, pace: number, bell: number): Log {
  const [log, setLog] = useState(EMPTY);
  const looks = useRef<Turns>(undefined);
  const isBroken = log.state === "broken";

  useEffect(() => {
    let last = 0;
    let isOver = false;
    const take = (lines: LogLine[]): void => {
      const fresh = lines.filter((line) => line.seq > last);
      last = fresh.at(-1)?.seq ?? last;
      if (!isOver && fresh.length > 0) setLog((old) => append(old, fresh));
    };
    const became = (state: Log["state"]): void => {
      if (!isOver) setLog((old) => (old.state === state ? old : { ...old, state }));
    };
    const current = turns(async (signal) => {
      try {
        await readLog(name, last, take, signal);
        became("read");
      } catch (thrown) {
        if (!isAbort(thrown)) became("broken");
      }
    });
    looks.current = current;
    return () => {
      isOver = true;
      current.end();
      setLog(EMPTY);
    };
  }, [name]);

  useEffect(() => {
    looks.current?.ask();
    const timer = setTimeout(() => looks.current?.ask(), AFTERWARDS);
    return () => clearTimeout(timer);
  }, [name, bell]);

  useEffect(() => {
    const look = (): void => {
      if (document.visibilityState === "visible") looks.current?.ask();
    };
    document.addEventListener("visibilitychange", look);
    const every = isBroken ? Math.max(pace, AGAIN) : pace;
    const timer = every > 0 ? setInterval(look, every) : undefined;
    return () => {
      document.removeEventListener("visibilitychange", look);
      clearInterval(timer);
    };
  }, [name, pace, isBroken]);

  return log;
}

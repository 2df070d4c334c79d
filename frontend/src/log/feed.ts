import { useEffect, useState } from "react";
import { follow, type Connection } from "../api/follow";
import type { LogLine } from "../api/types";

/** So many lines are kept in the page; the server keeps more. */
export const KEPT_LINES = 4_000;
const REDRAW = 100;

/** What is shown of a log. */
export interface Log {
  lines: readonly LogLine[];
  /** Lines that were left out at the beginning. */
  dropped: number;
  connection: Connection;
}

/** Adds lines and forgets the oldest beyond the limit. */
export function append(log: Log, fresh: readonly LogLine[], limit = KEPT_LINES): Log {
  const lines = [...log.lines, ...fresh];
  const over = Math.max(0, lines.length - limit);
  return { ...log, lines: over > 0 ? lines.slice(over) : lines, dropped: log.dropped + over };
}

/** Follows a workspace's log, drawing at most ten times a second however fast it comes. */
export function useLog(name: string): Log {
  const [log, setLog] = useState<Log>({ lines: [], dropped: 0, connection: "connecting" });

  useEffect(() => {
    let fresh: LogLine[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = (): void => {
      timer = undefined;
      const batch = fresh;
      fresh = [];
      setLog((old) => append(old, batch));
    };
    const stop = follow<LogLine>(`/v1/workspaces/${encodeURIComponent(name)}/logs`, {
      message: (line) => {
        fresh.push(line);
        timer ??= setTimeout(draw, REDRAW);
      },
      connection: (connection) => setLog((old) => ({ ...old, connection })),
    });
    return () => {
      stop();
      clearTimeout(timer);
      setLog({ lines: [], dropped: 0, connection: "connecting" });
    };
  }, [name]);

  return log;
}

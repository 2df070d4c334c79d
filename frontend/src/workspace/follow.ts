import { useCallback, useEffect, useRef, useState } from "react";
import { answer, client } from "../api/client";
import { follow, type Connection } from "../api/follow";
import type { Problem } from "../api/problem";
import type { Workspace, WorkspaceEvent } from "../api/types";
import { usePoll } from "../poll";

const KEPT_EVENTS = 1_000;
/** Events come in bursts; one look at the workspace serves a burst. */
const SETTLE = 120;
/** Should an event be lost, the page is right again after this long. */
const LOOK_ANYWAY = 20_000;

/** A workspace, live. */
export interface Followed {
  workspace: Workspace | undefined;
  events: readonly WorkspaceEvent[];
  problem: Problem | undefined;
  connection: Connection;
  reload: () => void;
}

/** Loads a workspace and keeps it up to date from its events. */
export function useWorkspace(name: string): Followed {
  const load = useCallback(
    (signal: AbortSignal) => answer(client.GET("/workspaces/{name}", { params: { path: { name } }, signal })),
    [name],
  );
  const { data, problem, reload } = usePoll(load, LOOK_ANYWAY);
  const [events, setEvents] = useState<readonly WorkspaceEvent[]>([]);
  const [connection, setConnection] = useState<Connection>("connecting");
  const burst = useRef<WorkspaceEvent[]>([]);
  const known = data !== undefined && problem?.status !== 404;

  useEffect(() => {
    // Nothing is followed before we know that it is there.
    if (!known) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = (): void => {
      timer = undefined;
      const fresh = burst.current.splice(0);
      setEvents((old) => [...old, ...fresh].slice(-KEPT_EVENTS));
      reload();
    };
    const stop = follow<WorkspaceEvent>(`/v1/workspaces/${encodeURIComponent(name)}/events`, {
      message: (event) => {
        burst.current.push(event);
        timer ??= setTimeout(flush, SETTLE);
      },
      connection: setConnection,
      refused: reload,
    });
    return () => {
      stop();
      clearTimeout(timer);
      burst.current = [];
      setEvents([]);
    };
  }, [name, known, reload]);

  return { workspace: data, events, problem, connection, reload };
}

/** How a stream is doing. */
export type Connection = "connecting" | "open" | "broken";

interface Handlers<T> {
  message: (item: T) => void;
  connection?: (state: Connection) => void;
  /** The server refused the stream; find out why by asking for the thing itself. */
  refused?: () => void;
}

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/**
 * Follows a stream of server-sent events for as long as it is wanted; returns how to stop.
 *
 * A browser keeps at most six connections to a server, across all of its tabs, so a tab that nobody sees holds none: it
 * goes on after the last item when it is shown again. `EventSource` reconnects by itself with `Last-Event-ID` when a
 * connection breaks. It gives up for good when an answer is not a stream (a proxy's 502 during a restart, 401, 404).
 * Then we ask again after the last item we saw.
 */
export function follow<T extends { seq: number }>(path: string, handlers: Handlers<T>): () => void {
  let last = 0;
  let pause = FIRST_PAUSE;
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const open = (): void => {
    handlers.connection?.("connecting");
    const stream = new EventSource(last > 0 ? `${path}?after=${last}` : path);
    source = stream;
    stream.onopen = () => {
      pause = FIRST_PAUSE;
      handlers.connection?.("open");
    };
    stream.onmessage = (message: MessageEvent<string>) => {
      const item = parse<T>(message.data);
      // A stream that is resumed may repeat what was seen.
      if (!item || item.seq <= last) return;
      last = item.seq;
      handlers.message(item);
    };
    stream.onerror = () => {
      handlers.connection?.("broken");
      if (stream.readyState !== EventSource.CLOSED) return;
      handlers.refused?.();
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
  };
  const close = (): void => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const seen = (): void => {
    if (document.visibilityState === "hidden") close();
    else if (!source) open();
  };

  document.addEventListener("visibilitychange", seen);
  seen();
  return () => {
    document.removeEventListener("visibilitychange", seen);
    close();
  };
}

function parse<T extends { seq: number }>(text: string): T | undefined {
  try {
    const item = JSON.parse(text) as T;
    return typeof item.seq === "number" ? item : undefined;
  } catch {
    return undefined;
  }
}

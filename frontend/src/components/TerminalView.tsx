import { useEffect, useRef, useState } from "react";
import type { End, Session } from "../terminal/session";
import { Card } from "./Card";

interface Props {
  name: string;
  active: boolean;
  /** Gives the keyboard back to the page. */
  onLeave: () => void;
}

/** A terminal in the workspace. Its code is loaded when the first one is opened. */
export function TerminalView({ name, active, onLeave }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const session = useRef<Session>(undefined);
  const leave = useRef(onLeave);
  const [state, setState] = useState<"opening" | "open" | End>("opening");
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    leave.current = onLeave;
  }, [onLeave]);

  useEffect(() => {
    let gone = false;
    setState("opening");
    import("../terminal/session").then(
      ({ openTerminal }) => {
        if (gone || !place.current) return;
        session.current = openTerminal({
          name,
          element: place.current,
          onOpen: () => {
            setState("open");
            session.current?.focus();
          },
          onEnd: setState,
          onLeave: () => leave.current(),
        });
      },
      () => {
        if (!gone)
          setState({ message: "The terminal’s program could not be loaded.", hint: "Reload the page." });
      },
    );
    return () => {
      gone = true;
      session.current?.dispose();
      session.current = undefined;
    };
  }, [name, attempt]);

  useEffect(() => {
    if (!active) return;
    session.current?.fit();
    session.current?.focus();
  }, [active]);

  return (
    <div className="terminal">
      <p className="visually-hidden" role="status">
        {state === "opening" ? "Opening a terminal…" : state === "open" ? "The terminal is open." : ""}
      </p>
      {typeof state === "object" && (
        <Card
          tone="info"
          title={state.message}
          hint={state.hint}
          alert
          actions={
            <button type="button" className="button button-primary" onClick={() => setAttempt((n) => n + 1)}>
              New terminal
            </button>
          }
        />
      )}
      <div className="terminal-frame">
        <div ref={place} className="terminal-place" />
      </div>
      <p className="quiet terminal-help">
        <kbd>Shift</kbd> + <kbd>F6</kbd> leaves the terminal.
      </p>
    </div>
  );
}

import { memo, useLayoutEffect, useMemo, useRef, useState } from "react";
import { clock } from "../age";
import type { LogLine } from "../api/types";
import { spans, visible } from "../log/ansi";
import type { Log } from "../log/feed";
import { streamName } from "../log/stream";
import { CopyButton } from "./CopyButton";

/** Within so many pixels of the end counts as being at the end. */
const NEAR = 24;

/** The live log. It follows its end until somebody scrolls up. A hidden one (not `active`) cannot scroll. */
export function LogView({ log, active = true }: { log: Log; active?: boolean }) {
  const [stream, setStream] = useState("");
  const [following, setFollowing] = useState(true);
  const box = useRef<HTMLDivElement>(null);

  const streams = useMemo(() => [...new Set(log.lines.map((line) => line.stream))].sort(), [log.lines]);
  const shown = useMemo(
    () => (stream === "" ? log.lines : log.lines.filter((line) => line.stream === stream)),
    [log.lines, stream],
  );

  useLayoutEffect(() => {
    const element = box.current;
    if (following && element) element.scrollTop = element.scrollHeight;
  }, [shown, following, active]);

  const scrolled = (): void => {
    const element = box.current;
    // A hidden box has no height and says nothing about where the reader is.
    if (!element || element.clientHeight === 0) return;
    setFollowing(element.scrollHeight - element.scrollTop - element.clientHeight < NEAR);
  };

  return (
    <div className="log">
      <div className="log-tools">
        <label>
          <span className="visually-hidden">Show output of</span>
          <select value={stream} onChange={(event) => setStream(event.target.value)}>
            <option value="">Everything</option>
            {streams.map((name) => (
              <option key={name} value={name}>
                {streamName(name)}
              </option>
            ))}
          </select>
        </label>
        <span className="quiet" aria-live="polite">
          {log.state === "broken" ? "Connection lost, trying again…" : ""}
        </span>
        <CopyButton text={() => shown.map((line) => visible(line.text)).join("\n")}>Copy</CopyButton>
      </div>
      <div className="log-frame">
        <div
          ref={box}
          className="log-lines"
          role="log"
          aria-live="off"
          aria-label="Log"
          tabIndex={0}
          onScroll={scrolled}
        >
          {log.dropped > 0 && (
            <p className="log-note">
              {log.dropped.toLocaleString("en")} older lines are not shown here. <code>steading logs</code>{" "}
              prints all.
            </p>
          )}
          {shown.length === 0 && (
            <p className="log-note">
              {log.state === "reading" ? "Reading the log…" : "Nothing was printed yet."}
            </p>
          )}
          {shown.map((line) => (
            <Line key={line.seq} line={line} />
          ))}
        </div>
        {!following && (
          <button type="button" className="button button-small log-jump" onClick={() => setFollowing(true)}>
            ↓ Newest
          </button>
        )}
      </div>
    </div>
  );
}

const Line = memo(function Line({ line }: { line: LogLine }) {
  return (
    <div className="log-line" title={clock(line.at)}>
      <span className="log-stream" title={line.stream}>
        {streamName(line.stream)}
      </span>
      <span className="log-text">
        {spans(line.text).map((span, index) => (
          <span
            key={index}
            className={span.classes || undefined}
            style={
              span.color || span.background
                ? { color: span.color, backgroundColor: span.background }
                : undefined
            }
          >
            {span.text}
          </span>
        ))}
      </span>
    </div>
  );
});

import { clock } from "../age";
import type { WorkspaceEvent } from "../api/types";
import { told } from "../workspace/story";
import { withCode } from "./Card";

/** Everything that happened to a workspace, newest first. */
export function History({ events }: { events: readonly WorkspaceEvent[] }) {
  if (events.length === 0) return <p className="quiet">Nothing has happened yet.</p>;
  return (
    <ol className="history" reversed>
      {events.toReversed().map((event) => {
        const { text, hint, tone } = told(event);
        return (
          <li key={event.seq} className={`history-${tone}`}>
            <time dateTime={event.at} title={new Date(event.at).toLocaleString()}>
              {clock(event.at)}
            </time>
            <span>
              {withCode(text)}
              {hint && <span className="card-hint"> {withCode(hint)}</span>}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

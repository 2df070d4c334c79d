import { clock } from "../age";
import type { Problem } from "../api/problem";
import type { Workspace, WorkspaceEvent } from "../api/types";
import { sinceWanted } from "../workspace/phases";
import { told } from "../workspace/story";
import { Card, FailureCard } from "./Card";
import { Link } from "./Link";
import { WorkspaceActions } from "./WorkspaceActions";

interface Props {
  workspace: Workspace;
  events: readonly WorkspaceEvent[];
  onRetried: () => void;
  onProblem: (problem: Problem | undefined) => void;
}

/** What stopped the workspace, what is being tried again, and what went wrong beside. */
export function WorkspaceTroubles({ workspace, events, onRetried, onProblem }: Props) {
  const { failure, warnings, retry_at: retryAt } = workspace;
  const remarks = diagnostics(workspace, events);
  return (
    <>
      {failure && (
        <FailureCard
          failure={failure}
          actions={
            <>
              <WorkspaceActions
                workspace={workspace}
                only={["start"]}
                onDone={onRetried}
                onProblem={onProblem}
              />
              {failure.step === "resolve" && (
                // What a workspace is made from never changes; trying again does not mend a wrong name.
                <Link className="button" href={`/new?url=${encodeURIComponent(workspace.source)}`}>
                  Change URL or branch
                </Link>
              )}
            </>
          }
        />
      )}
      {retryAt && !failure && (
        <Card
          tone="warning"
          title={lastRetry(events) ?? "A step failed and is tried again."}
          hint={`It is tried again by itself at ${clock(retryAt)}.`}
        />
      )}
      {warnings.map((warning) => (
        <FailureCard key={`${warning.code} ${warning.message}`} failure={warning} tone="warning" />
      ))}
      {remarks.map((event) => {
        const { text, hint, tone } = told(event);
        const code = typeof event.detail.code === "string" ? event.detail.code : undefined;
        return (
          <Card
            key={event.seq}
            tone={tone === "danger" ? "danger" : "warning"}
            title={text}
            hint={hint}
            code={code}
          />
        );
      })}
    </>
  );
}

function lastRetry(events: readonly WorkspaceEvent[]): string | undefined {
  const message = events.findLast((event) => event.event === "retrying")?.detail.message;
  return typeof message === "string" ? message : undefined;
}

/** Warnings and errors from the events that the resolution does not list already. */
function diagnostics(workspace: Workspace, events: readonly WorkspaceEvent[]): WorkspaceEvent[] {
  const listed = new Set(workspace.resolution?.diagnostics.map((d) => d.code));
  const seen = new Set<string>();
  return sinceWanted(events).filter((event) => {
    if (event.event !== "diagnostic" || event.detail.severity === "info") return false;
    const { code, message } = event.detail;
    const key = `${String(code)} ${String(message)}`;
    if (listed.has(String(code)) || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

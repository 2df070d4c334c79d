import type { Phase } from "../api/types";
import { isSettled } from "../workspace/phases";

const WORDS: Record<Phase, string> = {
  pending: "Waiting",
  resolving: "Resolving",
  building: "Building",
  starting: "Starting",
  initializing: "Setting up",
  running: "Ready",
  stopping: "Stopping",
  stopped: "Stopped",
  deleting: "Deleting",
  deleted: "Deleted",
  failed: "Failed",
};

/** A phase as a word with a dot; the dot moves while something is under way. */
export function PhaseBadge({ phase }: { phase: Phase }) {
  return (
    <span className={`badge badge-${phase}`} data-busy={!isSettled(phase)}>
      <span className="badge-dot" aria-hidden="true" />
      {WORDS[phase]}
    </span>
  );
}

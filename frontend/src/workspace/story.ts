import type { WorkspaceEvent } from "../api/types";

/** An event as a person is told it. */
export interface Told {
  text: string;
  hint?: string | undefined;
  tone: "plain" | "warning" | "danger";
}

/** Says what happened in a sentence. An event of a kind that came later is told by its name. */
export function told({ event, detail }: WorkspaceEvent): Told {
  const plain = (text: string): Told => ({ text, tone: "plain" });
  switch (event) {
    case "created":
      return plain("Created.");
    case "wanted":
      return plain(
        detail.rebuild === true ? "Rebuild asked for." : (WANTED[word(detail.desired)] ?? "Changed."),
      );
    case "phase":
      return plain(PHASES[word(detail.phase)] ?? `Now ${word(detail.phase)}.`);
    case "resolved":
      return plain(`Resolved: ${word(detail.kind)}. ${word(detail.because)}`.trim());
    case "diagnostic":
      return {
        text: word(detail.message),
        hint: word(detail.hint) || undefined,
        tone: detail.severity === "error" ? "danger" : detail.severity === "warning" ? "warning" : "plain",
      };
    case "hook-started":
      return plain(`${word(detail.stage)} from ${word(detail.origin)}: ${word(detail.command)}`);
    case "hook-finished":
      return detail.exit === 0
        ? plain(`${word(detail.stage)} finished.`)
        : { text: `${word(detail.stage)} ended with exit code ${word(detail.exit)}.`, tone: "warning" };
    case "retrying":
      return {
        text: `${word(detail.message)} (try ${word(detail.attempt)} of “${word(detail.step)}”; it is tried again)`,
        tone: "warning",
      };
    case "warned":
    case "failed": {
      const failure = typeof detail.failure === "object" && detail.failure !== null ? detail.failure : {};
      const { message, hint } = failure as Partial<Record<string, unknown>>;
      return {
        text: word(message) || "Something went wrong.",
        hint: word(hint) || undefined,
        tone: event === "failed" ? "danger" : "warning",
      };
    }
    case "died":
      return {
        text:
          detail.oom === true
            ? "The container ran out of memory and was ended."
            : `The container ended by itself${detail.exit === null || detail.exit === undefined ? "" : ` with exit code ${word(detail.exit)}`}.`,
        tone: "warning",
      };
    case "notice":
      return plain(word(detail.message));
    default:
      return plain(event.replaceAll("-", " "));
  }
}

const WANTED: Record<string, string> = {
  running: "Start asked for.",
  stopped: "Stop asked for.",
  deleted: "Deletion asked for.",
};

const PHASES: Record<string, string> = {
  pending: "Waiting for a worker.",
  resolving: "Reading the repository.",
  building: "Getting the image.",
  starting: "Starting the container.",
  initializing: "Setting up.",
  running: "Ready.",
  stopping: "Stopping.",
  stopped: "Stopped.",
  deleting: "Deleting.",
  deleted: "Deleted.",
  failed: "Failed.",
};

function word(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

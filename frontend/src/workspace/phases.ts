import type { Phase, Workspace, WorkspaceEvent } from "../api/types";

/** The stations of a start, as people see them. */
export const STEPS = [
  { id: "resolve", label: "Resolve", doing: "Reading the repository" },
  { id: "build", label: "Image", doing: "Getting the image" },
  { id: "start", label: "Start", doing: "Starting the container" },
  { id: "clone", label: "Clone", doing: "Cloning the repository" },
  { id: "hooks", label: "Hooks", doing: "Running the setup commands" },
  { id: "ready", label: "VS Code", doing: "Opening VS Code" },
] as const;

export type StepId = (typeof STEPS)[number]["id"];
export type StepState = "done" | "current" | "failed" | "todo";

/** One station and how it stands. */
export interface Step {
  id: StepId;
  label: string;
  state: StepState;
  /** What it is doing, or did. */
  detail?: string | undefined;
  /** Milliseconds it took, once it is over. */
  took?: number | undefined;
  /** When it began, while it is under way. */
  since?: string | undefined;
}

/** Which station a failed step of the engine belongs to. */
const OF_FAILURE: Record<string, StepId> = {
  resolve: "resolve",
  build: "build",
  pull: "build",
  up: "start",
  resume: "start",
  wait: "start",
  populate: "clone",
  hooks: "hooks",
  open: "ready",
};

/** Whether nothing more happens until somebody wants something else. */
export function isSettled(phase: Phase): boolean {
  return phase === "running" || phase === "stopped" || phase === "deleted" || phase === "failed";
}

/** Whether something is about to change by itself, so that looking again soon is worth it. */
export function isMoving({ phase, desired }: Pick<Workspace, "phase" | "desired">): boolean {
  if (!isSettled(phase)) return true;
  if (desired === "deleted") return phase !== "deleted";
  // A failure rests, whatever was wanted.
  return phase !== "failed" && phase !== desired;
}

/** Whether a start is under way or done, so that its stations are worth showing. */
export function showsSteps(phase: Phase): boolean {
  return phase !== "stopping" && phase !== "stopped" && phase !== "deleting" && phase !== "deleted";
}

/** The events since the owner last changed their mind. */
export function sinceWanted(events: readonly WorkspaceEvent[]): readonly WorkspaceEvent[] {
  const start = events.findLastIndex((e) => e.event === "wanted" || e.event === "created");
  return start > 0 ? events.slice(start) : events;
}

/** Which station an event opens, if any. */
function opens(event: WorkspaceEvent): StepId | undefined {
  if (event.event === "hook-started") return "hooks";
  if (event.event !== "phase") return undefined;
  switch (event.detail.phase) {
    case "pending":
    case "resolving":
      return "resolve";
    case "building":
      return "build";
    case "starting":
      return "start";
    case "initializing":
      return "clone";
    case "running":
      return "ready";
    default:
      return undefined;
  }
}

function order(id: StepId): number {
  return STEPS.findIndex((step) => step.id === id);
}

/** The station a workspace is at, from its phase and from what was last heard of it. */
export function station(
  workspace: Pick<Workspace, "phase" | "failure">,
  events: readonly WorkspaceEvent[],
): StepId {
  const recent = sinceWanted(events);
  switch (workspace.phase) {
    case "building":
      return "build";
    case "starting":
      return "start";
    case "initializing":
      return recent.some((e) => e.event === "hook-started") ? "hooks" : "clone";
    case "running":
      return "ready";
    case "failed": {
      const known = OF_FAILURE[workspace.failure?.step ?? ""];
      return known ?? recent.map(opens).findLast((id) => id !== undefined) ?? "resolve";
    }
    default:
      return "resolve";
  }
}

/** All stations of a start and how they stand. */
export function steps(
  workspace: Pick<Workspace, "phase" | "failure" | "resolution">,
  events: readonly WorkspaceEvent[],
): Step[] {
  const recent = sinceWanted(events);
  const at = order(station(workspace, events));
  const failed = workspace.phase === "failed";
  const ready = workspace.phase === "running";
  const began = beginnings(recent);
  return STEPS.map(({ id, label }, index) => {
    const state: StepState =
      index < at || ready ? "done" : index > at ? "todo" : failed ? "failed" : "current";
    const start = began.get(id);
    const end = STEPS.slice(index + 1)
      .map((later) => began.get(later.id))
      .find((moment) => moment !== undefined);
    return {
      id,
      label,
      state,
      detail: state === "current" || state === "failed" ? detail(id, workspace, recent) : undefined,
      took: state === "done" && start && end ? Date.parse(end) - Date.parse(start) : undefined,
      since: state === "current" ? start : undefined,
    };
  });
}

/** When each station was first reached. */
function beginnings(events: readonly WorkspaceEvent[]): Map<StepId, string> {
  const began = new Map<StepId, string>();
  for (const event of events) {
    const id = opens(event);
    // Hooks that run on after the workspace is ready belong to no station.
    if (id && !began.has(id) && !(id === "hooks" && began.has("ready"))) began.set(id, event.at);
  }
  return began;
}

function detail(
  id: StepId,
  workspace: Pick<Workspace, "resolution">,
  events: readonly WorkspaceEvent[],
): string | undefined {
  if (id === "resolve") return workspace.resolution?.kind;
  if (id === "hooks") return text(events.findLast((e) => e.event === "hook-started")?.detail.stage);
  if (id === "build") return workspace.resolution?.image ?? workspace.resolution?.dockerfile ?? undefined;
  return undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Hooks later than `waitFor` run on while people already work. */
function runsOn(events: readonly WorkspaceEvent[]): string | undefined {
  const last = sinceWanted(events).findLast((e) => /^(hook-|warned|died)/.test(e.event));
  if (last?.event !== "hook-started") return undefined;
  return `Open VS Code. ${text(last.detail.stage) ?? "A setup command"} is still running.`;
}

/** While something is printed, its next lines are a blink away. */
const LIVELY = 500;
/** In between, a running workspace prints little: extensions that are installed, a hook that runs late. */
const CALM = 4_000;

/** How often the log is worth a look, in milliseconds; 0: only when something happens. */
export function logPace(
  workspace: Pick<Workspace, "phase" | "desired">,
  events: readonly WorkspaceEvent[],
): number {
  if (isMoving(workspace)) return LIVELY;
  if (workspace.phase !== "running") return 0;
  return runsOn(events) ? LIVELY : CALM;
}

/** Where a workspace stands, in one short sentence: what is shown and read aloud. */
export function headline(
  workspace: Pick<Workspace, "phase" | "failure" | "desired">,
  events: readonly WorkspaceEvent[],
): string {
  if (workspace.desired === "deleted" && workspace.phase !== "deleted") {
    return "Container and files are being removed…";
  }
  switch (workspace.phase) {
    case "pending":
      return "It is next in line…";
    case "running":
      return runsOn(events) ?? "Open VS Code and start working.";
    case "stopping":
      return "Its programs are being ended…";
    case "stopped":
      return workspace.desired === "running" ? "About to start…" : "Its files are kept.";
    case "deleting":
      return "Container and files are being removed…";
    case "deleted":
      return "It is gone.";
    case "failed":
      // What went wrong stands on its own card.
      return `It did not get past “${STEPS.find(({ id }) => id === station(workspace, events))?.label}”.`;
    default: {
      const id = station(workspace, events);
      return `${STEPS.find((step) => step.id === id)?.doing ?? "Working"}…`;
    }
  }
}

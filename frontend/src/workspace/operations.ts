import { answer, client } from "../api/client";
import type { Workspace, WorkspaceSummary } from "../api/types";

/** What can be done to a workspace with one click. */
export type Operation = "start" | "stop" | "rebuild" | "delete";

/** Asks for an operation; the answer is the workspace as it was just after. A rebuild may take another configuration. */
export function operate(name: string, operation: Operation, config?: string): Promise<Workspace> {
  const params = { params: { path: { name } } };
  switch (operation) {
    case "start":
      return answer(client.POST("/workspaces/{name}/start", params));
    case "stop":
      return answer(client.POST("/workspaces/{name}/stop", params));
    case "rebuild":
      return answer(client.POST("/workspaces/{name}/rebuild", { ...params, body: config ? { config } : {} }));
    case "delete":
      return answer(client.DELETE("/workspaces/{name}", params));
  }
}

/** Which operations make sense now, the likeliest first. */
export function offered({ phase, desired }: Pick<WorkspaceSummary, "phase" | "desired">): Operation[] {
  if (desired === "deleted" || phase === "deleting" || phase === "deleted") return [];
  switch (phase) {
    case "running":
      return ["stop", "rebuild", "delete"];
    case "stopped":
    case "failed":
      return ["start", "rebuild", "delete"];
    case "stopping":
      return ["start", "delete"];
    default:
      return ["stop", "delete"];
  }
}

/** What an operation is called on its button. */
export function label(operation: Operation, phase: WorkspaceSummary["phase"]): string {
  if (operation === "start") return phase === "failed" ? "Try again" : "Start";
  return { stop: "Stop", rebuild: "Rebuild", delete: "Delete" }[operation];
}

/** Where a workspace's host opens: through the ticket, so that it works from a fresh browser. */
export function enterPath(host: string, path = "/"): string {
  return `/enter?host=${encodeURIComponent(host)}&path=${path === "/" ? path : encodeURIComponent(path)}`;
}

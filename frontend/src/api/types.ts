import type { components } from "./schema";

type Schemas = components["schemas"];

export type Diagnostic = Schemas["Diagnostic"];
export type Failure = Schemas["Failure"];
export type LogLine = Schemas["LogLine"];
export type Me = Schemas["Me"];
export type NewWorkspace = Schemas["NewWorkspace"];
export type Phase = Schemas["Phase"];
export type Port = Schemas["Port"];
export type Refs = Schemas["Refs"];
export type Resolution = Schemas["Resolution"];
export type Scope = Schemas["Scope"];
export type Template = Schemas["Template"];
export type Token = Schemas["Token"];
export type Visibility = Schemas["Visibility"];
export type Workspace = Schemas["Workspace"];
export type WorkspaceList = Schemas["WorkspaceList"];
export type WorkspaceSummary = Schemas["WorkspaceSummary"];

/** An event as it is streamed. What `detail` holds depends on `event`; readers check what they use. */
export interface WorkspaceEvent {
  seq: number;
  at: string;
  event: string;
  detail: Readonly<Record<string, unknown>>;
}

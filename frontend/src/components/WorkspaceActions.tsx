import { useLayoutEffect, useRef, useState } from "react";
import { isAbort, Problem } from "../api/problem";
import type { Workspace, WorkspaceSummary } from "../api/types";
import { label, offered, operate, type Operation } from "../workspace/operations";
import { ConfirmDialog } from "./ConfirmDialog";
import { focusHeading, isFocusLost } from "./focus";
import { RebuildDialog } from "./RebuildDialog";

interface Props {
  workspace: Pick<WorkspaceSummary, "slug" | "phase" | "desired" | "source">;
  /** Which of the offered operations to show; all if absent. */
  only?: readonly Operation[];
  small?: boolean;
  onDone: (workspace: Workspace, operation: Operation) => void;
  onProblem: (problem: Problem | undefined) => void;
  /** Takes the keyboard's focus when the button that had it is no longer offered. */
  onFocusLost?: () => void;
}

/** The buttons that change a workspace. What loses something asks first. */
export function WorkspaceActions({
  workspace,
  only,
  small = false,
  onDone,
  onProblem,
  onFocusLost = focusHeading,
}: Props) {
  const [busy, setBusy] = useState<Operation>();
  const [asking, setAsking] = useState<"rebuild" | "delete">();
  const pressed = useRef<Operation>(undefined);
  const { slug, phase } = workspace;

  const run = async (operation: Operation, config?: string): Promise<void> => {
    setAsking(undefined);
    if (busy) return;
    pressed.current = operation;
    setBusy(operation);
    onProblem(undefined);
    try {
      onDone(await operate(slug, operation, config), operation);
    } catch (thrown) {
      if (!isAbort(thrown)) onProblem(Problem.of(thrown));
    } finally {
      setBusy(undefined);
    }
  };

  const operations = offered(workspace).filter((operation) => !only || only.includes(operation));

  useLayoutEffect(() => {
    if (!pressed.current || operations.includes(pressed.current)) return;
    pressed.current = undefined;
    if (isFocusLost()) onFocusLost();
  });

  return (
    <>
      {operations.map((operation) => (
        <button
          key={operation}
          type="button"
          className={`button ${small ? "button-small" : ""} ${tone(operation)}`}
          // Not `disabled`: that would take the focus away from the button that was pressed.
          aria-disabled={busy !== undefined}
          aria-label={small ? `${label(operation, phase)} ${slug}` : undefined}
          onClick={() =>
            operation === "delete" || operation === "rebuild" ? setAsking(operation) : void run(operation)
          }
        >
          {label(operation, phase)}
        </button>
      ))}
      {asking === "delete" && (
        <ConfirmDialog
          title={`Delete ${slug}?`}
          confirm="Delete it"
          danger
          onConfirm={() => void run("delete")}
          onCancel={() => setAsking(undefined)}
        >
          <p>
            The container, its files and its log go for good.{" "}
            <strong>Commits that were not pushed and files that were not committed are lost.</strong>
          </p>
          <p className="quiet">The repository at {workspace.source} stays as it is.</p>
        </ConfirmDialog>
      )}
      {asking === "rebuild" && (
        <RebuildDialog
          slug={slug}
          onConfirm={(config) => void run("rebuild", config)}
          onCancel={() => setAsking(undefined)}
        />
      )}
    </>
  );
}

function tone(operation: Operation): string {
  if (operation === "start") return "button-primary";
  return operation === "delete" ? "button-quiet-danger" : "";
}

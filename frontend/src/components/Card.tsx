import type { ReactNode } from "react";
import type { Problem } from "../api/problem";
import type { Diagnostic, Failure } from "../api/types";

interface CardProps {
  tone: "danger" | "warning" | "info";
  title: string;
  code?: string | undefined;
  hint?: string | null | undefined;
  /** Read aloud as soon as it appears. */
  alert?: boolean;
  children?: ReactNode;
  actions?: ReactNode;
}

const WORDS = { danger: "Error", warning: "Warning", info: "Note" };

/** Something that a person should know: what it is, what to do, and a code to search for. */
export function Card({ tone, title, code, hint, alert = false, children, actions }: CardProps) {
  return (
    <section className={`card card-${tone}`} role={alert ? "alert" : undefined}>
      <p className="card-title">
        <span className="visually-hidden">{WORDS[tone]}: </span>
        {withCode(title)}
      </p>
      {hint && <p className="card-hint">{withCode(hint)}</p>}
      {children}
      {(code || actions) && (
        <div className="card-foot">
          {actions}
          {code && <code className="card-code">{code}</code>}
        </div>
      )}
    </section>
  );
}

/** Text in which `…` is shown as code. */
export function withCode(text: string): ReactNode[] {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part));
}

/** What the server refused, or that it did not answer. */
export function ProblemCard({ problem, actions }: { problem: Problem; actions?: ReactNode }) {
  return (
    <Card
      tone="danger"
      title={problem.message}
      hint={problem.hint}
      code={problem.code}
      alert
      actions={actions}
    >
      {problem.requestId && (
        <p className="card-request">
          Request <code>{problem.requestId}</code>
        </p>
      )}
    </Card>
  );
}

interface FailureProps {
  failure: Failure;
  tone?: "danger" | "warning";
  actions?: ReactNode;
}

/** What went wrong with a workspace, with the output that explains it. */
export function FailureCard({ failure, tone = "danger", actions }: FailureProps) {
  return (
    <Card
      tone={tone}
      title={failure.message}
      hint={failure.hint}
      code={failure.code}
      alert={tone === "danger"}
      actions={actions}
    >
      {failure.output && (
        <details className="card-output" open={tone === "danger"}>
          <summary>Last output</summary>
          <pre tabIndex={0}>{failure.output}</pre>
        </details>
      )}
    </Card>
  );
}

/** Remarks about the files of a repository. */
export function Diagnostics({ items }: { items: readonly Diagnostic[] }) {
  if (items.length === 0) return null;
  return (
    <ul className="diagnostics" aria-label="Remarks about the repository’s files">
      {items.map((item, index) => (
        <li key={index} className={`diagnostic diagnostic-${item.severity}`}>
          <p>
            <strong className="diagnostic-severity">{item.severity}</strong> {withCode(item.message)}{" "}
            <span className="quiet">
              {item.file}
              {item.line ? `:${item.line}` : ""} · <code>{item.code}</code>
            </span>
          </p>
          {item.hint && <p className="card-hint">{withCode(item.hint)}</p>}
        </li>
      ))}
    </ul>
  );
}

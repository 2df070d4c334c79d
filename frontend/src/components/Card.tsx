import { useLayoutEffect, useRef, type ReactNode } from "react";
import type { Problem } from "../api/problem";
import type { Diagnostic, Failure } from "../api/types";

interface CardProps {
  tone: "danger" | "warning" | "info";
  title: string;
  code?: string | undefined;
  /** The request, to find it in the server's log. */
  request?: string | undefined;
  hint?: string | null | undefined;
  /** Read aloud as soon as it appears. */
  alert?: boolean;
  children?: ReactNode;
  actions?: ReactNode;
}

const WORDS = { danger: "Error", warning: "Warning", info: "Note" };

/** Something that a person should know: what it is, what to do, and a code to search for. */
export function Card({ tone, title, code, request, hint, alert = false, children, actions }: CardProps) {
  return (
    <section className={`card card-${tone}`} role={alert ? "alert" : undefined}>
      <p className="card-title">
        <span className="visually-hidden">{WORDS[tone]}: </span>
        {withCode(sentence(title))}
      </p>
      {hint && <p className="card-hint">{withCode(hint)}</p>}
      {children}
      {(code || actions) && (
        <div className="card-foot">
          {actions}
          {code && (
            <span className="card-code">
              <code>{code}</code>
              {request && (
                <>
                  {" · request "}
                  <code>{request}</code>
                </>
              )}
            </span>
          )}
        </div>
      )}
    </section>
  );
}

/** The first line of a message with a capital at its beginning, unless it begins with a name. */
export function sentence(message: string): string {
  const [line = ""] = message.split("\n", 1);
  return line.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase());
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
      request={problem.requestId}
      alert
      actions={actions}
    />
  );
}

interface FailureProps {
  failure: Failure;
  tone?: "danger" | "warning";
  actions?: ReactNode;
}

/** What went wrong with a workspace, with the output that explains it. */
export function FailureCard({ failure, tone = "danger", actions }: FailureProps) {
  const { message, hint, code } = failure;
  // What follows the first line of a message is output, too.
  const output = failure.output ?? message.split("\n").slice(1).join("\n");
  return (
    <Card tone={tone} title={message} hint={hint} code={code} alert={tone === "danger"} actions={actions}>
      {output && <Output text={output} isOpen={tone === "danger"} />}
    </Card>
  );
}

/** The last lines of some output, from its end: there it says what went wrong. */
function Output({ text, isOpen }: { text: string; isOpen: boolean }) {
  const box = useRef<HTMLPreElement>(null);
  const toEnd = (): void => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(toEnd, [text]);
  return (
    <details className="card-output" open={isOpen} onToggle={toEnd}>
      <summary>Last output</summary>
      <pre ref={box} tabIndex={0}>
        {text}
      </pre>
    </details>
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

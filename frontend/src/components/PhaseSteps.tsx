import { useEffect, useState } from "react";
import { duration } from "../age";
import type { Step } from "../workspace/phases";

const STATES = { done: "done", current: "under way", failed: "failed", todo: "to come" };

/** The stations from a Git URL to an open IDE. */
export function PhaseSteps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className="steps" aria-label="Progress" data-done={steps.every(({ state }) => state === "done")}>
      {steps.map((step) => (
        <li
          key={step.id}
          className={`step step-${step.state}`}
          aria-current={step.state === "current" ? "step" : undefined}
        >
          <span className="step-mark" aria-hidden="true" />
          <span className="step-label">
            {step.label}
            <span className="visually-hidden">, {STATES[step.state]}</span>
          </span>
          <span className="step-detail" title={step.detail}>
            {step.since ? <Since at={step.since} /> : step.took !== undefined && duration(step.took)}
            {(step.since ?? step.took) !== undefined && step.detail && " · "}
            {step.detail}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** Counts up; hidden from screen readers, which are told of each phase instead. */
function Since({ at }: { at: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.floor((now - Date.parse(at)) / 1000));
  return <span aria-hidden="true">{seconds < 60 ? `${seconds} s` : duration(seconds * 1000)}</span>;
}

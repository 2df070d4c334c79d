import { Component, type ReactNode } from "react";
import { Problem } from "../api/problem";
import { ProblemCard } from "./Card";

interface State {
  problem?: Problem;
}

/** Should the page itself break, it says so instead of going blank. */
export class Boundary extends Component<{ children: ReactNode }, State> {
  override state: State = {};

  static getDerivedStateFromError(thrown: unknown): State {
    return { problem: Problem.of(thrown instanceof Error ? new Error(thrown.message) : thrown) };
  }

  override render(): ReactNode {
    const { problem } = this.state;
    if (!problem) return this.props.children;
    return (
      <main className="page">
        <h1>This page broke</h1>
        <ProblemCard
          problem={problem}
          actions={
            <button type="button" className="button" onClick={() => window.location.reload()}>
              Reload
            </button>
          }
        />
      </main>
    );
  }
}

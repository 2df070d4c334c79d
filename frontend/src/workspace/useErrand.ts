import { useEffect, useMemo, useRef } from "react";
import { isAbort, Problem } from "../api/problem";
import type { Workspace } from "../api/types";
import { leave, navigate, useLocation } from "../router";
import { errandOf, type Errand } from "./errand";
import { enterPath, operate } from "./operations";

interface Underway {
  errand: Errand | undefined;
  /** Stays on this page after all. */
  drop: () => void;
}

/**
 * Somebody opened the address of a stopped workspace and chose to start it: starts it, once, and goes on to where they
 * were going as soon as it runs. Stopping it meanwhile ends the errand.
 */
export function useErrand(
  workspace: Pick<Workspace, "slug" | "phase" | "desired">,
  onStarted: () => void,
  onProblem: (problem: Problem) => void,
): Underway {
  const { slug, phase, desired } = workspace;
  const { href, pathname } = useLocation();
  const errand = useMemo(() => errandOf(new URL(href), slug), [href, slug]);
  const begun = useRef(false);
  const was = useRef(desired);

  const drop = (): void => navigate(pathname, { replace: true });

  useEffect(() => {
    const isStopped = desired === "stopped" && was.current === "running";
    was.current = desired;
    if (!errand) return;
    if (phase === "running" && desired === "running") {
      leave(enterPath(errand.host, errand.path));
    } else if (isStopped) {
      navigate(pathname, { replace: true });
    } else if (phase === "stopped" && desired === "stopped" && !begun.current) {
      begun.current = true;
      operate(slug, "start").then(onStarted, (thrown: unknown) => {
        if (isAbort(thrown)) return;
        onProblem(Problem.of(thrown));
        navigate(pathname, { replace: true });
      });
    }
  }, [errand, slug, phase, desired, pathname, onStarted, onProblem]);

  return { errand, drop };
}

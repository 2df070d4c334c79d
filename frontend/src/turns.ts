import { Problem } from "./api/problem";

/** Something that is done again and again, one at a time. */
export interface Turns {
  /** Does it now; if it is under way, once more when that has ended. */
  ask: () => void;
  /** Calls off what is under way, and does nothing any more. */
  end: () => void;
}

/** An answer that takes longer than this, in milliseconds, will not come. */
const PATIENCE = 30_000;

/**
 * Takes turns at a task. One that is under way is let run to its end however often somebody asks meanwhile: on a slow
 * connection, calling it off for a newer one would mean that none ever ends. `task` deals with its own errors; after
 * `patience` milliseconds its signal aborts with a {@link Problem}.
 */
export function turns(task: (signal: AbortSignal) => Promise<void>, patience = PATIENCE): Turns {
  let running: AbortController | undefined;
  let isAsked = false;
  let isOver = false;

  const run = async (): Promise<void> => {
    const controller = new AbortController();
    running = controller;
    isAsked = false;
    const timer = setTimeout(() => controller.abort(Problem.late()), patience);
    try {
      await task(controller.signal);
    } finally {
      clearTimeout(timer);
      running = undefined;
      if (isAsked && !isOver) void run();
    }
  };

  return {
    ask: () => {
      if (isOver) return;
      if (running) isAsked = true;
      else void run();
    },
    end: () => {
      isOver = true;
      running?.abort();
    },
  };
}

/** An error that can be told to a person: what went wrong, and what to do about it. */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    /** The HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** Stable, kebab-case. */
    readonly code: string,
    message: string,
    readonly hint?: string,
    /** Finds the request in the server's log. */
    readonly requestId?: string,
  ) {
    super(message);
  }

  /** The server did not answer at all. */
  static unreachable(): Problem {
    return new Problem(
      0,
      "unreachable",
      "Steading does not answer.",
      "Check that the server runs and that you are online, then try again.",
    );
  }

  /** The server took the question, and took too long over the answer. */
  static late(): Problem {
    return new Problem(
      0,
      "no-answer",
      "Steading does not answer in time.",
      "The connection may be slow, or the server very busy. It is tried again by itself.",
    );
  }

  /** From the body of an answer, whatever it turned out to be. */
  static from(status: number, body: unknown, reason = ""): Problem {
    if (isProblem(body)) {
      return new Problem(status, body.code, body.message, body.hint ?? undefined, body.request_id);
    }
    return new Problem(
      status,
      `http-${status}`,
      `The server answered ${`${status} ${reason}`.trim()}.`,
      "Something between this page and Steading may be down. Try again in a moment.",
    );
  }

  /** From anything that was thrown. */
  static of(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown;
    // This is how `fetch` reports a connection that failed.
    if (thrown instanceof TypeError) return Problem.unreachable();
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return new Problem(0, "page-error", text, "Reload the page. If it happens again, please report it.");
  }
}

interface ProblemBody {
  code: string;
  message: string;
  hint?: string | null;
  request_id?: string;
}

function isProblem(body: unknown): body is ProblemBody {
  if (typeof body !== "object" || body === null) return false;
  const { code, message } = body as Partial<Record<string, unknown>>;
  return typeof code === "string" && typeof message === "string";
}

/** Whether something was called off by ourselves. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === "AbortError";
}

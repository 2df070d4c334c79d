import createClient from "openapi-fetch";
import { isAbort, Problem } from "./problem";
import type { paths } from "./schema";

/** The typed client. The session cookie goes along by itself. */
export const client = createClient<paths>({
  baseUrl: `${window.location.origin}/v1`,
  // Looked up at call time, so that tests can put their own in place.
  fetch: (request) => globalThis.fetch(request),
});

type Listener = () => void;
const listeners = new Set<Listener>();

/** Calls back whenever the server says that nobody is signed in. */
export function onSignedOut(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

interface Reply<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

/** The body of an answer; throws a {@link Problem} for every other outcome. */
export async function answer<T>(call: Promise<Reply<T>>): Promise<T> {
  let reply: Reply<T>;
  try {
    reply = await call;
  } catch (thrown) {
    if (isAbort(thrown)) throw thrown;
    // A body that is not JSON although its type says so comes from something else than Steading.
    if (thrown instanceof SyntaxError) throw Problem.from(502, null, "with something unreadable");
    throw Problem.of(thrown);
  }
  if (reply.response.ok) return reply.data as T;
  throw refused(reply.response, reply.error);
}

function refused(response: Response, body: unknown): Problem {
  if (response.status === 401) for (const listener of listeners) listener();
  return Problem.from(response.status, body, response.statusText);
}

/** Trades an API token for a session. */
export async function signIn(token: string): Promise<void> {
  const response = await send("/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  // A token that does not hold is an answer to this form, not the end of a session.
  if (!response.ok) throw Problem.from(response.status, await json(response), response.statusText);
}

/** Ends the session, here and in every workspace that was entered from here. */
export async function signOut(): Promise<void> {
  const response = await send("/session", { method: "DELETE" });
  if (!response.ok && response.status !== 401) {
    throw Problem.from(response.status, await json(response), response.statusText);
  }
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (thrown) {
    throw Problem.of(thrown);
  }
}

async function json(response: Response): Promise<unknown> {
  return response.json().catch(() => null);
}

/** A key for one wish, so that sending it twice does it once. Works without a secure context, too. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

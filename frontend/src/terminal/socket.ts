/** What the server says in text messages; bytes of the terminal come as binary ones. */
export type Control =
  | { kind: "exit"; code: number }
  | { kind: "problem"; message: string; hint?: string | undefined; code: string };

/** Reads a text message; anything unknown is ignored, so that the server may learn new words. */
export function control(text: string): Control | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== "object" || message === null) return undefined;
  const { exit, problem } = message as { exit?: unknown; problem?: unknown };
  if (typeof exit === "number") return { kind: "exit", code: exit };
  if (typeof problem !== "object" || problem === null) return undefined;
  const { code, message: said, hint } = problem as Partial<Record<string, unknown>>;
  return {
    kind: "problem",
    code: typeof code === "string" ? code : "terminal-broken",
    message: typeof said === "string" ? said : "The terminal broke off.",
    hint: typeof hint === "string" ? hint : undefined,
  };
}

/** Where the terminal of a workspace is. */
export function terminalUrl(name: string, columns: number, rows: number, page: Location | URL): string {
  const url = new URL(`/v1/workspaces/${encodeURIComponent(name)}/terminal`, page.href);
  url.protocol = page.protocol === "https:" ? "wss:" : "ws:";
  url.search = new URLSearchParams({ columns: String(columns), rows: String(rows) }).toString();
  return url.href;
}

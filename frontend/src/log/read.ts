import { Problem } from "../api/problem";
import type { LogLine } from "../api/types";

/**
 * Reads what a workspace's log has after a line, handing it on in the pieces that it comes in. The answer ends with what
 * is there: nothing is followed, so no connection is held.
 */
export async function readLog(
  name: string,
  after: number,
  take: (lines: LogLine[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const path = `/v1/workspaces/${encodeURIComponent(name)}/logs?follow=false&after=${after}`;
  const response = await fetch(path, { signal });
  if (!response.ok) {
    throw Problem.from(response.status, await response.json().catch(() => null), response.statusText);
  }
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const text = rest + (value ?? "");
    const end = done ? text.length : text.lastIndexOf("\n") + 1;
    rest = text.slice(end);
    const lines = parseLines(text.slice(0, end));
    if (lines.length > 0) take(lines);
    if (done) return;
  }
}

/** The log lines in whole lines of server-sent events; whatever else is there is skipped. */
export function parseLines(text: string): LogLine[] {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("data:")) return [];
    try {
      const item = JSON.parse(line.slice("data:".length)) as LogLine;
      return typeof item.seq === "number" ? [item] : [];
    } catch {
      return [];
    }
  });
}

/** A stream as it is called beside its lines: `hook:postCreateCommand` → `postCreate`. */
export function streamName(stream: string): string {
  return stream.replace(/^hook:/, "").replace(/^(\w+?)Command\b/, "$1");
}

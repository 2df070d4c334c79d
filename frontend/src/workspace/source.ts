/** Whether a text may be meant as a source: complete enough that asking the server makes sense. */
export function looksLikeSource(text: string): boolean {
  const source = text.trim();
  if (source === "" || source.length > 4096 || /\s/.test(source)) return false;
  // A folder or file URL of the server's own machine; the server says whether it allows that.
  if (/^(\/|~\/|\.\.?\/|file:\/\/\/)./.test(source)) return true;
  const url = /^(?:git\+)?(?:https?|ssh|git):\/\/(?:[^/@]+@)?[^/]+\/+([^/#?]+)/.exec(source);
  if (url) return true;
  // user@host:owner/repository, as git and scp write it.
  return /^[^@/:\s]+@[^@/:\s]+:[^\s]*[^\s/]/.test(source);
}

/** A source without what everybody knows: `https://github.com/a/b.git#dev` → `github.com/a/b`, `dev`. */
export function shortSource(source: string): string {
  return source
    .replace(/^(?:git\+)?(?:https?|ssh|git):\/\//, "")
    .replace(/^[^@/]+@/, "")
    .replace(/\.git(?=#|$)/, "");
}

/** A web link to a source, where there is one. */
export function sourceLink(source: string): string | undefined {
  return /^https?:\/\//.test(source) ? source.replace(/^(https?:\/\/)[^@/]+@/, "$1") : undefined;
}

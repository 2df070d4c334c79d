/** Whether a text may be meant as a source: complete enough that asking the server makes sense. */
export function looksLikeSource(text: string): boolean {
  const source = text.trim();
  if (source === "" || source.length > 4096) return false;
  // A folder or file URL of the server's own machine, white space and all; the server says whether it allows that.
  if (/^(\/|~\/|\.\.?\/|file:\/\/\/)./.test(source)) return true;
  if (/\s/.test(source)) return false;
  // `github.com/owner/repository` or `owner/repository`: not a URL, but the server knows which one is meant.
  if (/^[\w.-]+(\/[\w.-]+)+\/?$/.test(source)) return true;
  const url = /^(?:git\+)?(?:https?|ssh|git):\/\/(?:[^/@]+@)?[^/]+\/+([^/#?]+)/.exec(source);
  if (url) return true;
  // user@host:owner/repository, as git and scp write it.
  return /^[^@/:\s]+@[^@/:\s]+:[^\s]*[^\s/]/.test(source);
}

/** The URL that a hint proposes, if it proposes one. */
export function suggestion(hint: string | undefined): string | undefined {
  return /^Did you mean (https:\/\/[^\s?]+)\?$/.exec(hint ?? "")?.[1];
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

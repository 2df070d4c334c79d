import { localPath } from "../router";

/** Where somebody was going when a stopped workspace stood in the way. */
export interface Errand {
  /** A host label of this workspace: its own, or a port's. */
  host: string;
  /** Path and query there. */
  path: string;
}

/**
 * Reads `?start=1&host=3000-quiet-fox&path=/a`, with which the page of a stopped workspace's address sends people here.
 * A host that is not this workspace's own falls back to the one that is: nobody is led elsewhere.
 */
export function errandOf(here: URL, slug: string): Errand | undefined {
  if (here.searchParams.get("start") !== "1") return undefined;
  const host = here.searchParams.get("host") ?? "";
  const port = /^([1-9]\d{0,4})-/.exec(host);
  const isOurs = port ? host === `${port[1]}-${slug}` && Number(port[1]) <= 65_535 : host === slug;
  return isOurs ? { host, path: localPath(here.searchParams.get("path")) } : { host: slug, path: "/" };
}

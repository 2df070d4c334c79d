import { useSyncExternalStore } from "react";

/** What a path shows. */
export type Route =
  | { page: "home" }
  | { page: "workspace"; name: string }
  | { page: "sign-in" }
  | { page: "settings" }
  | { page: "unknown" };

/** Reads a path. */
export function route(path: string): Route {
  const parts = path.split("/").filter(Boolean);
  const [first, second] = parts;
  if (parts.length === 0 || (parts.length === 1 && (first === "new" || first === "workspaces"))) {
    return { page: "home" };
  }
  if (parts.length === 2 && first === "workspaces" && second)
    return { page: "workspace", name: decoded(second) };
  if (parts.length === 1 && first === "sign-in") return { page: "sign-in" };
  if (parts.length === 1 && first === "settings") return { page: "settings" };
  return { page: "unknown" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const CHANGED = "steading:location";
let moves = 0;

/** Goes to a path of this page. */
export function navigate(to: string, how: { replace?: boolean } = {}): void {
  if (how.replace) history.replaceState(null, "", to);
  else {
    history.pushState(null, "", to);
    window.scrollTo(0, 0);
  }
  moves += 1;
  window.dispatchEvent(new Event(CHANGED));
}

/** Goes to a path of the server that this page does not show; Back does not come back here. */
export function leave(to: string): void {
  window.location.replace(to);
}

/** Whether the person has moved within the page; the first view keeps the browser's own focus. */
export function hasMoved(): boolean {
  return moves > 0;
}

function subscribe(changed: () => void): () => void {
  const back = (): void => {
    moves += 1;
    changed();
  };
  window.addEventListener("popstate", back);
  window.addEventListener(CHANGED, changed);
  return () => {
    window.removeEventListener("popstate", back);
    window.removeEventListener(CHANGED, changed);
  };
}

/** Where we are. */
export function useLocation(): URL {
  return new URL(useSyncExternalStore(subscribe, () => window.location.href));
}

/** A path that a person is sent on to, if it is one of the same server; `/` if it leads anywhere else. */
export function localPath(text: string | null): string {
  if (!text?.startsWith("/")) return "/";
  try {
    const { origin, pathname, search, hash } = new URL(text, window.location.origin);
    // `/.//host` is of this server, and yet its path, taken for an address, is another server's: `//host`.
    const isLocal = origin === window.location.origin && !pathname.startsWith("//");
    return isLocal ? pathname + search + hash : "/";
  } catch {
    return "/";
  }
}

/** The sign-in page, coming back to where we are. */
export function signInPath(here: URL): string {
  const next = here.pathname + here.search;
  return next === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`;
}

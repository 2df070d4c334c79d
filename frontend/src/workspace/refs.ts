import { useEffect, useState } from "react";
import { answer, client } from "../api/client";
import type { Refs } from "../api/types";
import { PAUSE } from "./inquiry";
import { looksLikeSource } from "./source";

/**
 * The branches and tags of a source's repository, shortly after it was typed; nothing until they are known. Why they are
 * not to be had is what the inquiry about the source says.
 */
export function useRefs(source: string): Refs | undefined {
  const [refs, setRefs] = useState<Refs>();
  // What follows the `#` is a branch itself: the repository is the same.
  const repository = source.trim().replace(/#.*$/, "");

  useEffect(() => {
    setRefs(undefined);
    if (!looksLikeSource(repository)) return;
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      const found = await answer(
        client.POST("/refs", { body: { source: repository }, signal: controller.signal }),
      ).catch(() => undefined);
      if (!controller.signal.aborted) setRefs(found);
    };
    const timer = setTimeout(() => void ask(), PAUSE);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [repository]);

  return refs;
}

/** A branch or tag to choose. */
export interface Suggestion {
  name: string;
  kind: "branch" | "tag";
  isDefault: boolean;
}

/** So many at once are more than anybody reads; typing narrows them down. */
const SHOWN = 50;

/** What fits to what was typed: names that begin with it before names that contain it, branches before tags. */
export function suggestions(refs: Refs | undefined, typed: string): Suggestion[] {
  if (!refs) return [];
  const wanted = typed.trim().toLowerCase();
  const fitting = (names: string[], kind: Suggestion["kind"]): Suggestion[] => {
    const fits = names.filter((name) => name.toLowerCase().includes(wanted));
    const begins = (name: string): number => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
    return fits
      .sort((a, b) => begins(a) - begins(b))
      .map((name) => ({ name, kind, isDefault: kind === "branch" && name === refs.default }));
  };
  // A tag of the same name as a branch cannot be meant by it.
  const tags = refs.tags.filter((tag) => !refs.branches.includes(tag));
  return [...fitting(refs.branches, "branch"), ...fitting(tags, "tag")].slice(0, SHOWN);
}

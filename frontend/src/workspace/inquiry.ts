import { useEffect, useState } from "react";
import { answer, client } from "../api/client";
import { isAbort, Problem } from "../api/problem";
import type { NewWorkspace, Resolution } from "../api/types";
import { looksLikeSource } from "./source";

/** What the person has chosen so far, as the form holds it. */
export interface Draft {
  source: string;
  reference: string;
  config: string;
  template: string;
}

/** What is known about a draft. */
export type Inquiry =
  | { state: "idle" }
  | { state: "asking"; previous?: Resolution | undefined }
  | { state: "known"; resolution: Resolution }
  | { state: "refused"; problem: Problem };

/** Long enough not to ask for every letter that is typed. */
export const PAUSE = 450;

/** The request that a draft stands for: empty fields are left out. */
export function request({ source, reference, config, template }: Draft): NewWorkspace {
  const body: NewWorkspace = { source: source.trim() };
  if (reference.trim()) body.reference = reference.trim();
  // A template is used whatever the repository contains, so a configuration beside it means nothing.
  if (template) body.template = template;
  else if (config) body.config = config;
  return body;
}

/** Asks what a draft would become, shortly after it last changed. */
export function useInquiry(draft: Draft): Inquiry {
  const [inquiry, setInquiry] = useState<Inquiry>({ state: "idle" });
  const { source, reference, config, template } = draft;

  useEffect(() => {
    if (!looksLikeSource(source)) {
      setInquiry({ state: "idle" });
      return;
    }
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      const body = request({ source, reference, config, template });
      try {
        const resolution = await answer(client.POST("/resolve", { body, signal: controller.signal }));
        if (!controller.signal.aborted) setInquiry({ state: "known", resolution });
      } catch (thrown) {
        if (controller.signal.aborted || isAbort(thrown)) return;
        setInquiry({ state: "refused", problem: Problem.of(thrown) });
      }
    };
    setInquiry((old) => ({ state: "asking", previous: old.state === "known" ? old.resolution : undefined }));
    const timer = setTimeout(() => void ask(), PAUSE);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [source, reference, config, template]);

  return inquiry;
}

import { useState } from "react";
import { Page } from "../components/Page";
import { UrlBox } from "../components/UrlBox";
import { WorkspaceList } from "../components/WorkspaceList";
import { useLocation } from "../router";
import type { Draft } from "../workspace/inquiry";

/** What a deep link (`/new?url=…`) puts into the form. It never makes anything by itself. */
export function draftFrom(here: URL): Draft {
  const take = (name: string): string => here.searchParams.get(name)?.trim() ?? "";
  const isNew = here.pathname.replace(/\/$/, "") === "/new";
  if (!isNew) return { source: "", reference: "", config: "", template: "" };
  return {
    source: take("url"),
    reference: take("branch"),
    config: take("config"),
    template: take("template"),
  };
}

export function Home() {
  const asked = draftFrom(useLocation());
  const [draft, setDraft] = useState(asked);
  // Another deep link fills the form anew. Leaving one, as a search in the list does, keeps what was typed.
  if (asked.source !== "" && JSON.stringify(asked) !== JSON.stringify(draft)) setDraft(asked);
  return (
    <Page title="Steading" heading="Paste a Git URL. Work in VS Code.">
      <UrlBox key={JSON.stringify(draft)} initial={draft} />
      <WorkspaceList />
    </Page>
  );
}

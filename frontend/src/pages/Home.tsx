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
  const draft = draftFrom(useLocation());
  return (
    <Page title="Steading" heading="Paste a Git URL. Work in VS Code.">
      <UrlBox key={JSON.stringify(draft)} initial={draft} />
      <WorkspaceList />
    </Page>
  );
}

import type { ReactNode } from "react";
import { Link } from "../components/Link";
import { Page } from "../components/Page";

/** A page that says that there is nothing here, and where there is something. */
export function Unknown({ heading, children }: { heading: string; children: ReactNode }) {
  return (
    <Page title={heading} heading={heading}>
      <div className="narrow">
        {children}
        <p>
          <Link className="button button-primary" href="/">
            Go to your workspaces
          </Link>
        </p>
      </div>
    </Page>
  );
}

import { useCallback, useEffect } from "react";
import { answer, client, onSignedOut } from "./api/client";
import { Link } from "./components/Link";
import { Logo } from "./components/Logo";
import { Home } from "./pages/Home";
import { Settings } from "./pages/Settings";
import { SignIn } from "./pages/SignIn";
import { Unknown } from "./pages/Unknown";
import { Workspace } from "./pages/Workspace";
import { usePoll } from "./poll";
import { leave, route, signInPath, useLocation } from "./router";

/** The frame around every page. */
export function App() {
  const here = useLocation();
  const at = route(here.pathname);
  const isOutside = at.page === "sign-in";

  useEffect(
    () =>
      onSignedOut(() => {
        const now = new URL(window.location.href);
        // From the server, which has the browser remember where we are: the one-time link is followed elsewhere.
        if (route(now.pathname).page !== "sign-in") leave(signInPath(now));
      }),
    [],
  );

  const skip = (): void => {
    const heading = document.querySelector<HTMLElement>("#main h1");
    heading?.focus();
    heading?.scrollIntoView();
  };

  return (
    <>
      <button type="button" className="skip" onClick={skip}>
        Skip to the content
      </button>
      <header className="top">
        <Link href="/" className="brand" aria-label="Steading, your workspaces">
          <Logo />
          <span>Steading</span>
        </Link>
        {!isOutside && (
          <nav aria-label="Main">
            <Link href="/" aria-current={at.page === "home" ? "page" : undefined}>
              Workspaces
            </Link>
            <Link href="/settings" aria-current={at.page === "settings" ? "page" : undefined}>
              Settings
            </Link>
            <a href="/docs">API</a>
          </nav>
        )}
      </header>
      <View at={at} />
      <Foot />
    </>
  );
}

function View({ at }: { at: ReturnType<typeof route> }) {
  switch (at.page) {
    case "home":
      return <Home />;
    case "workspace":
      // Another workspace is another page: nothing of the last one may linger.
      return <Workspace key={at.name} name={at.name} />;
    case "sign-in":
      return <SignIn />;
    case "settings":
      return <Settings />;
    case "unknown":
      return (
        <Unknown heading="There is nothing here">
          <p>The address may be mistyped.</p>
        </Unknown>
      );
  }
}

function Foot() {
  const load = useCallback((signal: AbortSignal) => answer(client.GET("/version", { signal })), []);
  const { data } = usePoll(load, 0);
  return <footer className="foot">Steading {data?.version}</footer>;
}

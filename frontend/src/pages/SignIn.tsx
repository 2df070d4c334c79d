import { useId, useState, type FormEvent } from "react";
import { signIn } from "../api/client";
import { Problem } from "../api/problem";
import { Card, ProblemCard } from "../components/Card";
import { Page } from "../components/Page";
import { localPath, useLocation } from "../router";

/** How to get in: the link that the server printed, or an API token. */
export function SignIn() {
  const params = useLocation().searchParams;
  const next = localPath(params.get("next"));
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const id = useId();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy || token.trim() === "") return;
    setBusy(true);
    setProblem(undefined);
    try {
      await signIn(token.trim());
      // `next` may be a path of the server, such as `/enter`, so the browser goes there itself.
      window.location.assign(next);
    } catch (thrown) {
      setProblem(Problem.of(thrown));
      setBusy(false);
    }
  };

  return (
    <Page title="Sign in" heading="Sign in">
      <div className="narrow">
        {params.get("spent") === "1" && (
          <Card
            tone="warning"
            title="That link was used already, or it has expired."
            hint="Each link works once. Run `steading sign-in` on the server’s machine to print a new one."
            code="link-spent"
            alert
          />
        )}
        <section className="panel">
          <h2>With a link</h2>
          <p>
            Open the link that the server printed when it started. To get a new one, run this on the server’s
            machine:
          </p>
          <pre className="command">
            <code>steading sign-in</code>
          </pre>
        </section>
        <section className="panel">
          <h2>With an API token</h2>
          {problem && <ProblemCard problem={problem} />}
          <form onSubmit={(event) => void submit(event)}>
            <div className="field">
              <label htmlFor={id}>API token</label>
              <input
                id={id}
                type="password"
                autoComplete="current-password"
                required
                value={token}
                onChange={(event) => setToken(event.target.value)}
              />
            </div>
            <button type="submit" className="button button-primary" aria-disabled={busy}>
              {busy ? "Signing in…" : "Sign in"}
            </button>
          </form>
        </section>
      </div>
    </Page>
  );
}

import { useCallback, useState } from "react";
import { answer, client, signOut } from "../api/client";
import { Problem } from "../api/problem";
import { ProblemCard } from "../components/Card";
import { Page } from "../components/Page";
import { Fact } from "../components/ResolutionView";
import { TokenList } from "../components/TokenList";
import { usePoll } from "../poll";

const SCOPES = {
  all: "Everything you may do",
  read: "Looking only",
  prebuild: "Registering prebuilds only",
};

/** Who you are here, your API tokens, and the way out. */
export function Settings() {
  const load = useCallback((signal: AbortSignal) => answer(client.GET("/me", { signal })), []);
  const { data: me, problem } = usePoll(load, 0);
  const [refused, setRefused] = useState<Problem>();

  const leave = async (): Promise<void> => {
    setRefused(undefined);
    try {
      await signOut();
      window.location.assign("/sign-in");
    } catch (thrown) {
      setRefused(Problem.of(thrown));
    }
  };

  return (
    <Page title="Settings" heading="Settings">
      <section className="panel" aria-labelledby="me-heading">
        <h2 id="me-heading">You</h2>
        {problem && <ProblemCard problem={problem} />}
        {me && (
          <dl className="facts">
            <Fact name="User" value={me.user} />
            <Fact name="Role" value={me.role} />
            <div>
              <dt>May do</dt>
              <dd>{SCOPES[me.scope]}</dd>
            </div>
          </dl>
        )}
        {refused && <ProblemCard problem={refused} />}
        <p className="quiet">Signing out ends this session here and in every workspace you opened from it.</p>
        <button type="button" className="button" onClick={() => void leave()}>
          Sign out
        </button>
      </section>
      <TokenList />
    </Page>
  );
}

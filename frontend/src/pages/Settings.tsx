import { useCallback, useState } from "react";
import { answer, client, signOut } from "../api/client";
import { Problem } from "../api/problem";
import { ProblemCard } from "../components/Card";
import { ConfirmDialog } from "../components/ConfirmDialog";
import { Page } from "../components/Page";
import { Fact } from "../components/ResolutionView";
import { TokenList } from "../components/TokenList";
import { usePoll } from "../poll";

const SCOPES = {
  all: "Everything you may do",
  read: "Looking only",
  prebuild: "Registering prebuilds only",
};

const signOutEverywhere = (): Promise<unknown> => answer(client.DELETE("/sessions"));

/** Who you are here, your API tokens, and the way out. */
export function Settings() {
  const load = useCallback((signal: AbortSignal) => answer(client.GET("/me", { signal })), []);
  const { data: me, problem } = usePoll(load, 0);
  const [refused, setRefused] = useState<Problem>();
  const [isAsking, setIsAsking] = useState(false);

  const leave = async (out: () => Promise<unknown>): Promise<void> => {
    setIsAsking(false);
    setRefused(undefined);
    try {
      await out();
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
        <div className="head-actions">
          <button type="button" className="button" onClick={() => void leave(signOut)}>
            Sign out
          </button>
          <button type="button" className="button button-quiet-danger" onClick={() => setIsAsking(true)}>
            Sign out everywhere
          </button>
        </div>
      </section>
      <TokenList />
      {isAsking && (
        <ConfirmDialog
          title="Sign out everywhere?"
          confirm="Sign out"
          danger
          onConfirm={() => void leave(signOutEverywhere)}
          onCancel={() => setIsAsking(false)}
        >
          <p>All your browsers are signed out, and every workspace that is open in them closes.</p>
          <p className="quiet">Workspaces run on, and API tokens stay as they are.</p>
        </ConfirmDialog>
      )}
    </Page>
  );
}

import { useCallback, useId, useState, type FormEvent } from "react";
import { age } from "../age";
import { answer, client } from "../api/client";
import { Problem } from "../api/problem";
import type { Scope, Token } from "../api/types";
import { usePoll } from "../poll";
import { ProblemCard } from "./Card";
import { ConfirmDialog } from "./ConfirmDialog";
import { CopyButton } from "./CopyButton";
import { useRowFocus } from "./focus";

const SCOPES: [Scope, string][] = [
  ["all", "Everything you may do"],
  ["read", "Looking only"],
  ["prebuild", "Registering prebuilds only (for CI)"],
];

const LIVES: [string, string][] = [
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "a year"],
  ["", "no end"],
];

/** API tokens: make one, see it once, revoke it. */
export function TokenList() {
  const load = useCallback((signal: AbortSignal) => answer(client.GET("/tokens", { signal })), []);
  const { data, problem, reload } = usePoll(load, 0);
  const [shown, setShown] = useState<string>();
  const [refused, setRefused] = useState<Problem>();
  const [asking, setAsking] = useState<Token>();

  const revoke = async (id: string): Promise<void> => {
    setAsking(undefined);
    setRefused(undefined);
    try {
      await answer(client.DELETE("/tokens/{id}", { params: { path: { id } } }));
    } catch (thrown) {
      setRefused(Problem.of(thrown));
    }
    reload();
  };

  return (
    <section className="panel" aria-labelledby="tokens-heading" {...useRowFocus<HTMLElement>(data?.items)}>
      <h2 id="tokens-heading" tabIndex={-1}>
        API tokens
      </h2>
      <p className="quiet">
        For the command line, for scripts and for CI. The text of a token is shown once.
      </p>
      {shown && (
        <div className="card card-info" role="status">
          <p className="card-title">Your new token. Copy it now: it is not shown again.</p>
          <pre className="command">
            <code>{shown}</code>
          </pre>
          <div className="card-foot">
            <CopyButton text={() => shown}>Copy</CopyButton>
            <button type="button" className="button button-small" onClick={() => setShown(undefined)}>
              I have it
            </button>
          </div>
        </div>
      )}
      <NewToken
        onCreated={(text) => {
          setShown(text);
          reload();
        }}
      />
      {(problem ?? refused) && <ProblemCard problem={(refused ?? problem) as Problem} />}
      {data && data.items.length === 0 && <p className="quiet">You have no tokens.</p>}
      {data && data.items.length > 0 && (
        <ul className="rows tokens">
          {data.items.map((token) => (
            <li key={token.id} className="row">
              <div className="row-main">
                <span className="row-name">{token.name}</span>
                <span className="row-source">
                  {SCOPES.find(([scope]) => scope === token.scope)?.[1]} · made {age(token.created_at)} ·{" "}
                  {end(token)}
                </span>
              </div>
              <div className="row-actions">
                <button
                  type="button"
                  className="button button-small button-quiet-danger"
                  aria-label={`Revoke ${token.name}`}
                  onClick={() => setAsking(token)}
                >
                  Revoke
                </button>
              </div>
            </li>
          ))}
        </ul>
      )}
      {asking && (
        <ConfirmDialog
          title={`Revoke “${asking.name}”?`}
          confirm="Revoke it"
          danger
          onConfirm={() => void revoke(asking.id)}
          onCancel={() => setAsking(undefined)}
        >
          <p>Whatever uses this token is refused from now on.</p>
        </ConfirmDialog>
      )}
    </section>
  );
}

function end({ expires_at: at }: Token): string {
  if (!at) return "no end";
  const day = new Date(at).toLocaleDateString();
  return Date.parse(at) < Date.now() ? `ended ${day}` : `until ${day}`;
}

function NewToken({ onCreated }: { onCreated: (text: string) => void }) {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>("all");
  const [days, setDays] = useState("90");
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const id = useId();

  const create = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy || name.trim() === "") return;
    setBusy(true);
    setProblem(undefined);
    try {
      const body = { name: name.trim(), scope, ...(days ? { days: Number(days) } : {}) };
      const { token } = await answer(client.POST("/tokens", { body }));
      setName("");
      onCreated(token);
    } catch (thrown) {
      setProblem(Problem.of(thrown));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="token-form" onSubmit={(event) => void create(event)} aria-label="New token">
      <div className="field field-grow">
        <label htmlFor={`${id}-name`}>What it is for</label>
        <input
          id={`${id}-name`}
          type="text"
          required
          maxLength={100}
          autoComplete="off"
          placeholder="laptop"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </div>
      <div className="field">
        <label htmlFor={`${id}-scope`}>May do</label>
        <select id={`${id}-scope`} value={scope} onChange={(event) => setScope(event.target.value as Scope)}>
          {SCOPES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor={`${id}-days`}>Ends after</label>
        <select id={`${id}-days`} value={days} onChange={(event) => setDays(event.target.value)}>
          {LIVES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
      <button type="submit" className="button button-primary" aria-disabled={busy || name.trim() === ""}>
        Create token
      </button>
      {problem && <ProblemCard problem={problem} />}
    </form>
  );
}

import { useCallback, useEffect, useId, useRef, useState, type FormEvent } from "react";
import { answer, client, idempotencyKey } from "../api/client";
import { isAbort, Problem } from "../api/problem";
import { usePoll } from "../poll";
import { navigate } from "../router";
import { useRefs } from "../workspace/refs";
import { request, useInquiry, type Draft, type Inquiry } from "../workspace/inquiry";
import { looksLikeSource, suggestion } from "../workspace/source";
import { BranchBox } from "./BranchBox";
import { Breakable } from "./Breakable";
import { ProblemCard } from "./Card";
import { ResolutionView } from "./ResolutionView";

/** The form that everything starts with: a Git URL becomes a workspace. */
export function UrlBox({ initial }: { initial: Draft }) {
  const [draft, setDraft] = useState(initial);
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const inquiry = useInquiry(draft);
  const refs = useRefs(draft.source);
  const key = useRef({ wish: "", key: "" });
  const input = useRef<HTMLInputElement>(null);
  const id = useId();

  useEffect(() => {
    // On a phone the keyboard would hide half the page.
    if (window.matchMedia("(pointer: fine)").matches) input.current?.focus();
  }, []);

  const change = (part: Partial<Draft>): void => {
    setProblem(undefined);
    setDraft((old) => {
      const isOther = part.source !== undefined && part.source.trim() !== old.source.trim();
      if (!isOther) return { ...old, ...part };
      // Another repository has other configurations. It has other branches too, once the one that was there before is
      // known to be more than half an address.
      const reference = inquiry.state === "known" ? "" : old.reference;
      return { ...old, config: "", reference, ...part };
    });
  };

  const create = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    if (!looksLikeSource(draft.source)) {
      setProblem(NOT_A_SOURCE);
      input.current?.focus();
      return;
    }
    const body = request(draft);
    const wish = JSON.stringify(body);
    // The same wish keeps its key, so that pressing the button again after a lost answer makes nothing twice.
    if (key.current.wish !== wish) key.current = { wish, key: idempotencyKey() };
    setBusy(true);
    setProblem(undefined);
    try {
      const params = { header: { "Idempotency-Key": key.current.key } };
      const workspace = await answer(client.POST("/workspaces", { body, params }));
      navigate(`/workspaces/${workspace.slug}`);
    } catch (thrown) {
      if (!isAbort(thrown)) setProblem(Problem.of(thrown));
      setBusy(false);
    }
  };

  return (
    <form className="url-box" onSubmit={(event) => void create(event)} aria-label="New workspace" noValidate>
      <div className="url-row">
        <div className="field field-grow">
          <label htmlFor={`${id}-source`}>Git URL</label>
          <input
            ref={input}
            id={`${id}-source`}
            type="text"
            inputMode="url"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            placeholder="https://github.com/owner/repository"
            value={draft.source}
            onChange={(event) => change({ source: event.target.value })}
          />
        </div>
        <BranchBox
          value={draft.reference}
          placeholder={inquiry.state === "known" ? (inquiry.resolution.branch ?? "as in the URL") : "default"}
          refs={refs}
          onChange={(reference) => change({ reference })}
        />
        <button type="submit" className="button button-primary button-large" aria-disabled={busy}>
          {busy ? "Creating…" : "Create workspace"}
        </button>
      </div>
      {problem && <Refusal problem={problem} onChange={change} />}
      <Preview inquiry={inquiry} draft={draft} onChange={change} />
    </form>
  );
}

const NOT_A_SOURCE = new Problem(
  400,
  "not-a-source",
  "That is not a Git URL yet.",
  "Paste a link such as `https://github.com/owner/repository` or `git@host:owner/repository.git`.",
);

/** What the server refused; where it knows what was meant, one press takes that. */
function Refusal({ problem, onChange }: { problem: Problem; onChange: (part: Partial<Draft>) => void }) {
  const meant = suggestion(problem.hint);
  return (
    <ProblemCard
      problem={problem}
      actions={
        meant && (
          <button type="button" className="button button-small" onClick={() => onChange({ source: meant })}>
            Use {meant}
          </button>
        )
      }
    />
  );
}

interface PreviewProps {
  inquiry: Inquiry;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
}

/** What will be used, and why; with a choice where there is one. */
function Preview({ inquiry, draft, onChange }: PreviewProps) {
  if (inquiry.state === "idle") return null;
  const resolution = inquiry.state === "known" ? inquiry.resolution : undefined;
  const shown = resolution ?? (inquiry.state === "asking" ? inquiry.previous : undefined);
  return (
    <section className="preview" aria-label="What will be used" aria-busy={inquiry.state === "asking"}>
      <p className="visually-hidden" role="status">
        {inquiry.state === "asking" ? "Reading the repository." : (resolution?.because ?? "")}
      </p>
      {inquiry.state === "asking" && !shown && <p className="preview-asking">Reading the repository…</p>}
      {inquiry.state === "refused" && <Refusal problem={inquiry.problem} onChange={onChange} />}
      {shown && <ResolutionView resolution={shown} />}
      {shown && shown.choices.length > 1 && !draft.template && (
        <fieldset className="choices">
          <legend>Which configuration</legend>
          {shown.choices.map((choice) => (
            <label key={choice}>
              <input
                type="radio"
                name="config"
                checked={(draft.config || shown.config) === choice}
                onChange={() => onChange({ config: choice })}
              />
              <code>
                <Breakable text={choice} />
              </code>
            </label>
          ))}
        </fieldset>
      )}
      <TemplateChoice draft={draft} onChange={onChange} />
    </section>
  );
}

function TemplateChoice({ draft, onChange }: Omit<PreviewProps, "inquiry">) {
  const load = useCallback((signal: AbortSignal) => answer(client.GET("/templates", { signal })), []);
  const { data } = usePoll(load, 0);
  const id = useId();
  const templates = data?.items ?? [];
  if (templates.length === 0) return null;
  const chosen = templates.find((template) => template.id === draft.template);
  return (
    <div className="field field-template">
      <label htmlFor={id}>Environment</label>
      <select id={id} value={draft.template} onChange={(event) => onChange({ template: event.target.value })}>
        <option value="">What the repository asks for</option>
        {templates.map((template) => (
          <option key={template.id} value={template.id}>
            Template: {template.name}
          </option>
        ))}
      </select>
      {chosen && <p className="quiet">{chosen.description}</p>}
    </div>
  );
}

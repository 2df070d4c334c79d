import { useCallback, useEffect, useId, useRef, useState } from "react";
import { age } from "../age";
import { answer, client } from "../api/client";
import type { Problem } from "../api/problem";
import type { WorkspaceSummary } from "../api/types";
import { usePoll } from "../poll";
import { navigate, useLocation } from "../router";
import { enterPath } from "../workspace/operations";
import { isMoving } from "../workspace/phases";
import { shortSource } from "../workspace/source";
import { ProblemCard, withCode } from "./Card";
import { useRowFocus } from "./focus";
import { Link } from "./Link";
import { PhaseBadge } from "./PhaseBadge";
import { WorkspaceActions } from "./WorkspaceActions";

const PER_PAGE = 20;
const BUSY = 2_000;
const CALM = 8_000;

/** Your workspaces, newest first. Page and search are in the address, so that Back finds them again. */
export function WorkspaceList() {
  const params = useLocation().searchParams;
  const page = Math.max(1, Number.parseInt(params.get("page") ?? "1", 10) || 1);
  const text = params.get("text") ?? "";
  const load = useCallback(
    (signal: AbortSignal) => {
      const query = { page, per_page: PER_PAGE, ...(text ? { text } : {}) };
      return answer(client.GET("/workspaces", { params: { query }, signal }));
    },
    [page, text],
  );
  const [interval, setPace] = useState(CALM);
  const { data, problem, reload } = usePoll(load, interval);
  const [refused, setRefused] = useState<Problem>();
  const items = data?.items;

  useEffect(() => {
    setPace(items?.some(isMoving) ? BUSY : CALM);
  }, [items]);

  const pages = Math.max(1, Math.ceil((data?.total ?? 0) / PER_PAGE));
  return (
    <section className="list" aria-labelledby="list-heading" {...useRowFocus<HTMLElement>(items)}>
      <div className="list-head">
        <h2 id="list-heading" tabIndex={-1}>
          Your workspaces
        </h2>
        {(data === undefined || data.total > 0 || text !== "") && <Search text={text} />}
      </div>
      {refused && <ProblemCard problem={refused} />}
      {problem && <ProblemCard problem={problem} actions={<Again onClick={reload} />} />}
      {!data && !problem && <p className="quiet">Loading…</p>}
      {data && data.total === 0 && <Empty text={text} />}
      {items && items.length > 0 && (
        <ul className="rows">
          {items.map((item) => (
            <Row key={item.id} item={item} onChanged={reload} onProblem={setRefused} />
          ))}
        </ul>
      )}
      {data && (pages > 1 || page > 1) && <Pager page={page} pages={pages} total={data.total} text={text} />}
    </section>
  );
}

function Again({ onClick }: { onClick: () => void }) {
  return (
    <button type="button" className="button button-small" onClick={onClick}>
      Try again
    </button>
  );
}

function Empty({ text }: { text: string }) {
  if (text) return <p className="empty">No workspace’s name or source contains “{text}”.</p>;
  return <p className="empty">No workspaces yet. Paste a Git URL above and the first one is on its way.</p>;
}

function listPath(page: number, text: string): string {
  const params = new URLSearchParams({
    ...(page > 1 ? { page: String(page) } : {}),
    ...(text ? { text } : {}),
  });
  return params.size > 0 ? `/?${params}` : "/";
}

function Search({ text }: { text: string }) {
  const [typed, setTyped] = useState(text);
  const own = useRef(text);
  const id = useId();

  // What the address says by itself, after Back or a link, goes before what is typed here.
  useEffect(() => {
    if (text === own.current) return;
    own.current = text;
    setTyped(text);
  }, [text]);

  useEffect(() => {
    const wanted = typed.trim();
    if (wanted === own.current) return;
    const timer = setTimeout(() => {
      own.current = wanted;
      navigate(listPath(1, wanted), { replace: true });
    }, 300);
    return () => clearTimeout(timer);
  }, [typed]);

  return (
    <div className="search" role="search">
      <label htmlFor={id} className="visually-hidden">
        Search by name or source
      </label>
      <input
        id={id}
        type="search"
        placeholder="Search"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </div>
  );
}

interface RowProps {
  item: WorkspaceSummary;
  onChanged: () => void;
  onProblem: (problem: Problem | undefined) => void;
}

function Row({ item, onChanged, onProblem }: RowProps) {
  const phase = item.desired === "deleted" ? "deleting" : item.phase;
  const row = useRef<HTMLLIElement>(null);
  return (
    <li className="row" ref={row}>
      <div className="row-main">
        <Link className="row-name" href={`/workspaces/${item.slug}`}>
          {item.slug}
        </Link>
        <span className="row-source" title={item.source}>
          {shortSource(item.source)}
        </span>
        {item.failure && <span className="row-failure">{withCode(item.failure.message)}</span>}
      </div>
      <PhaseBadge phase={phase} />
      <time className="row-age" dateTime={item.created_at} title={new Date(item.created_at).toLocaleString()}>
        {age(item.created_at)}
      </time>
      <div className="row-actions">
        {phase === "running" && (
          <a
            className="button button-small button-primary"
            href={enterPath(item.slug)}
            target="_blank"
            rel="noopener"
          >
            Open<span className="visually-hidden"> {item.slug} in a new tab</span>
          </a>
        )}
        <WorkspaceActions
          workspace={item}
          only={["start", "stop", "delete"]}
          small
          onDone={onChanged}
          onProblem={onProblem}
          onFocusLost={() => row.current?.querySelector<HTMLElement>(".row-name")?.focus()}
        />
      </div>
    </li>
  );
}

function Pager({ page, pages, total, text }: { page: number; pages: number; total: number; text: string }) {
  return (
    <nav className="pager" aria-label="Pages of the list">
      {page > 1 ? <Link href={listPath(page - 1, text)}>← Newer</Link> : <span />}
      <span className="quiet">
        Page {page} of {pages} · {total.toLocaleString("en")} workspaces
      </span>
      {page < pages ? <Link href={listPath(page + 1, text)}>Older →</Link> : <span />}
    </nav>
  );
}

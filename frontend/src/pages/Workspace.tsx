import { useEffect, useMemo, useRef, useState } from "react";
import type { Problem } from "../api/problem";
import { Breakable } from "../components/Breakable";
import { ProblemCard } from "../components/Card";
import { CopyButton } from "../components/CopyButton";
import { History } from "../components/History";
import { LogView } from "../components/LogView";
import { Page } from "../components/Page";
import { PhaseBadge } from "../components/PhaseBadge";
import { PhaseSteps } from "../components/PhaseSteps";
import { PortList } from "../components/PortList";
import { Tabs } from "../components/Tabs";
import { TerminalView } from "../components/TerminalView";
import { WorkspaceActions } from "../components/WorkspaceActions";
import { WorkspaceAbout } from "../components/WorkspaceAbout";
import { WorkspaceTroubles } from "../components/WorkspaceTroubles";
import { useLog } from "../log/feed";
import { navigate } from "../router";
import type { Errand } from "../workspace/errand";
import { useWorkspace } from "../workspace/follow";
import { enterPath, type Operation } from "../workspace/operations";
import { headline, logPace, showsSteps, steps } from "../workspace/phases";
import { shortSource, sourceLink } from "../workspace/source";
import { useErrand } from "../workspace/useErrand";
import { Unknown } from "./Unknown";

/** One workspace, live: where it stands, what it prints, and what can be done. */
export function Workspace({ name }: { name: string }) {
  const followed = useWorkspace(name);
  const { workspace, problem } = followed;
  const isGone = problem?.status === 404;
  const wasDeleted = workspace?.phase === "deleted" || (isGone && workspace?.desired === "deleted");

  if (wasDeleted) {
    return (
      <Unknown heading="This workspace is deleted">
        <p role="status">
          The container, its files and its log are gone. The repository at {shortSource(workspace.source)} is
          as it was.
        </p>
      </Unknown>
    );
  }
  if (isGone) {
    return (
      <Unknown heading="There is no such workspace">
        <p>
          Nothing here is called <code>{name}</code>, or it is not yours. A deleted workspace is gone for
          good.
        </p>
      </Unknown>
    );
  }
  if (!workspace) {
    return (
      <Page title={name} heading={name}>
        {problem ? <ProblemCard problem={problem} /> : <p className="quiet">Loading…</p>}
      </Page>
    );
  }
  return <Known {...followed} workspace={workspace} />;
}

type KnownProps = ReturnType<typeof useWorkspace> & {
  workspace: NonNullable<ReturnType<typeof useWorkspace>["workspace"]>;
};

/** The card of a failure has its own “Try again”, so the head leaves it out. */
const ALL: readonly Operation[] = ["start", "stop", "rebuild", "delete"];

function Known({ workspace, events, problem, connection, reload }: KnownProps) {
  const { slug, phase, desired } = workspace;
  const [refused, setRefused] = useState<Problem>();
  const progress = useMemo(() => steps(workspace, events), [workspace, events]);
  const { errand, drop } = useErrand(workspace, reload, setRefused);
  const isRunning = phase === "running" && desired === "running";

  return (
    <Page
      title={slug}
      heading={slug}
      aside={
        <div className="head-actions">
          {isRunning && (
            <a className="button button-primary" href={enterPath(slug)} target="_blank" rel="noopener">
              Open VS Code<span className="visually-hidden"> in a new tab</span>
            </a>
          )}
          <WorkspaceActions
            workspace={workspace}
            only={phase === "failed" ? ["rebuild", "delete"] : ALL}
            onDone={(_, operation) => {
              if (operation === "delete") navigate("/");
              else reload();
            }}
            onProblem={setRefused}
          />
        </div>
      }
    >
      <div className="state">
        <p className="headline" role="status">
          <PhaseBadge phase={desired === "deleted" ? "deleting" : phase} />{" "}
          <span>{headline(workspace, events)}</span>
        </p>
        <Places workspace={workspace} />
      </div>
      {errand && phase !== "failed" && <Onward errand={errand} slug={slug} onStay={drop} />}
      {refused && <ProblemCard problem={refused} />}
      {problem && <ProblemCard problem={problem} />}
      {showsSteps(phase) && desired !== "deleted" && <PhaseSteps steps={progress} />}
      <WorkspaceTroubles workspace={workspace} events={events} onProblem={setRefused} onRetried={reload} />
      <div className="columns">
        <Console workspace={workspace} isRunning={isRunning} events={events} />
        <div className="side">
          {isRunning && <PortList slug={slug} />}
          <WorkspaceAbout workspace={workspace} isLive={connection !== "broken"} />
        </div>
      </div>
    </Page>
  );
}

/** Where it came from, and where it is. */
function Places({ workspace: { source, url } }: Pick<KnownProps, "workspace">) {
  const link = sourceLink(source);
  return (
    <dl className="places">
      <div>
        <dt>Repository</dt>
        <dd>
          {link ? (
            <a href={link.replace(/#.*$/, "")} target="_blank" rel="noopener noreferrer">
              <Breakable text={shortSource(source)} />
            </a>
          ) : (
            <Breakable text={shortSource(source)} />
          )}
        </dd>
      </div>
      <div>
        <dt>Address</dt>
        <dd>
          <a href={url} target="_blank" rel="noopener">
            <Breakable text={url} />
          </a>
          <CopyButton text={() => url} label="Copy the workspace’s address">
            Copy
          </CopyButton>
        </dd>
      </div>
    </dl>
  );
}

/** Says where the person is taken when the workspace is ready, and lets them stay. */
function Onward({ errand, slug, onStay }: { errand: Errand; slug: string; onStay: () => void }) {
  const port = errand.host === slug ? undefined : errand.host.slice(0, -slug.length - 1);
  return (
    <section className="card card-info" aria-label="On the way">
      <p className="card-title">
        This workspace is being started. You are taken on to {port ? `its port ${port}` : "VS Code"} when it
        is ready.
      </p>
      <div className="card-foot">
        <button type="button" className="button button-small" onClick={onStay}>
          Stay on this page
        </button>
      </div>
    </section>
  );
}

interface ConsoleProps {
  workspace: KnownProps["workspace"];
  isRunning: boolean;
  events: KnownProps["events"];
}

/** Log, terminal and history, one at a time. */
function Console({ workspace, isRunning, events }: ConsoleProps) {
  const { slug } = workspace;
  const log = useLog(slug, logPace(workspace, events), events.at(-1)?.seq ?? 0);
  const [tab, setTab] = useState("log");
  // A terminal is opened when somebody first asks for it, and lives until the workspace stops.
  const [wanted, setWanted] = useState(false);
  const place = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!isRunning) setWanted(false);
    else if (tab === "terminal") setWanted(true);
  }, [isRunning, tab]);

  const leave = (): void =>
    place.current?.querySelector<HTMLElement>("[role=tab][aria-selected=true]")?.focus();
  const terminal =
    wanted && isRunning ? (
      <TerminalView name={slug} active={tab === "terminal"} onLeave={leave} />
    ) : (
      <p className="quiet tab-note">
        {isRunning ? "" : "A terminal can be opened while the workspace is running."}
      </p>
    );

  return (
    <div ref={place} className="console">
      <Tabs
        label="Inside the workspace"
        active={tab}
        onChange={setTab}
        tabs={[
          { id: "log", label: "Log", content: <LogView log={log} active={tab === "log"} /> },
          { id: "terminal", label: "Terminal", content: terminal },
          { id: "history", label: "History", content: <History events={events} /> },
        ]}
      />
    </div>
  );
}

import { useCallback, useState } from "react";
import { answer, client } from "../api/client";
import { Problem } from "../api/problem";
import type { Port, Visibility } from "../api/types";
import { usePoll } from "../poll";
import { Breakable } from "./Breakable";
import { ProblemCard } from "./Card";
import { ConfirmDialog } from "./ConfirmDialog";
import { CopyButton } from "./CopyButton";

const VISIBILITIES: [Visibility, string][] = [
  ["private", "Only you"],
  ["signed-in", "Everybody signed in"],
  ["public", "Everybody"],
];

/** How wide a port is open, to tell opening it further from closing it. */
const width = (visibility: Visibility): number => VISIBILITIES.findIndex(([value]) => value === visibility);

const REFRESH = 5_000;

/** Ports of a running workspace: open them, and say who else may. */
export function PortList({ slug }: { slug: string }) {
  const load = useCallback(
    (signal: AbortSignal) =>
      answer(client.GET("/workspaces/{name}/ports", { params: { path: { name: slug } }, signal })),
    [slug],
  );
  const { data, problem, reload } = usePoll(load, REFRESH);
  const [refused, setRefused] = useState<Problem>();
  const [asking, setAsking] = useState<{ port: number; visibility: Visibility }>();

  const change = async (port: number, visibility: Visibility): Promise<void> => {
    setAsking(undefined);
    setRefused(undefined);
    try {
      const params = { path: { name: slug, port } };
      await answer(client.PUT("/workspaces/{name}/ports/{port}", { params, body: { visibility } }));
    } catch (thrown) {
      setRefused(Problem.of(thrown));
    }
    reload();
  };

  /** Closing a port is done at once; opening it further asks first: one press of an arrow key is enough to choose. */
  const choose = (port: Port, visibility: Visibility): void => {
    if (width(visibility) > width(port.visibility)) setAsking({ port: port.port, visibility });
    else void change(port.port, visibility);
  };

  const items = data?.items ?? [];
  return (
    <section className="panel" aria-labelledby="ports-heading">
      <h2 id="ports-heading">Ports</h2>
      {refused && <ProblemCard problem={refused} />}
      {problem && !data && <ProblemCard problem={problem} />}
      {data && items.length === 0 && (
        <p className="quiet">
          No program listens yet. Start a server in the workspace and its port appears here.
        </p>
      )}
      {items.length > 0 && (
        <ul className="ports">
          {items.map((port) => (
            <PortRow key={port.port} port={port} onChoose={choose} />
          ))}
        </ul>
      )}
      {items.some((port) => port.visibility === "public") && (
        <p className="quiet">A port that is open to everybody is yours alone again after the next start.</p>
      )}
      {asking && (
        <ConfirmDialog
          title={`Open port ${asking.port} to everybody${asking.visibility === "public" ? "" : " who is signed in"}?`}
          confirm="Open it"
          onConfirm={() => void change(asking.port, asking.visibility)}
          onCancel={() => setAsking(undefined)}
        >
          <Consequences visibility={asking.visibility} />
        </ConfirmDialog>
      )}
    </section>
  );
}

function Consequences({ visibility }: { visibility: Visibility }) {
  if (visibility === "public") {
    return (
      <p>
        <strong>Whoever has the address can use the program on this port, without signing in.</strong> It ends
        when you close the port here, and whenever the workspace is started again.
      </p>
    );
  }
  return (
    <p>
      Everybody who can sign in to this Steading can use the program on this port. It stays so until you close
      the port here.
    </p>
  );
}

interface RowProps {
  port: Port;
  onChoose: (port: Port, visibility: Visibility) => void;
}

function PortRow({ port, onChoose }: RowProps) {
  const { port: number, label, url, listening, visibility } = port;
  return (
    <li className="port">
      <p className="port-head">
        <span className="port-name">
          <strong>{number}</strong>
          {label && ` ${label}`}
        </span>
        <span className={listening ? "port-state port-listening" : "port-state"}>
          {listening ? "listening" : "nothing listens"}
        </span>
      </p>
      {listening ? (
        <p className="port-address">
          <a href={url} target="_blank" rel="noopener">
            <Breakable text={url} />
            <span className="visually-hidden"> (opens in a new tab)</span>
          </a>
          <CopyButton text={() => url} label={`Copy the address of port ${number}`}>
            Copy
          </CopyButton>
        </p>
      ) : (
        <p className="quiet">Start its program in a terminal, and it opens here.</p>
      )}
      <label className="port-who">
        <span className="visually-hidden">Who may open port {number}</span>
        <select value={visibility} onChange={(event) => onChoose(port, event.target.value as Visibility)}>
          {VISIBILITIES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </li>
  );
}

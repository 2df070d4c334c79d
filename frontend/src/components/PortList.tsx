import { useCallback, useState } from "react";
import { answer, client } from "../api/client";
import { Problem } from "../api/problem";
import type { Port, Visibility } from "../api/types";
import { usePoll } from "../poll";
import { enterPath } from "../workspace/operations";
import { ProblemCard } from "./Card";

const VISIBILITIES: [Visibility, string][] = [
  ["private", "Only you"],
  ["signed-in", "Everybody signed in"],
  ["public", "Everybody"],
];

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

  const change = async (port: number, visibility: Visibility): Promise<void> => {
    setRefused(undefined);
    try {
      const params = { path: { name: slug, port } };
      await answer(client.PUT("/workspaces/{name}/ports/{port}", { params, body: { visibility } }));
    } catch (thrown) {
      setRefused(Problem.of(thrown));
    }
    reload();
  };

  const items = data?.items ?? [];
  const isShared = items.some((port) => port.visibility !== "private");
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
            <PortRow key={port.port} slug={slug} port={port} onChange={change} />
          ))}
        </ul>
      )}
      {isShared && <p className="quiet">Sharing ends when the workspace is started again.</p>}
    </section>
  );
}

interface RowProps {
  slug: string;
  port: Port;
  onChange: (port: number, visibility: Visibility) => Promise<void>;
}

function PortRow({ slug, port, onChange }: RowProps) {
  return (
    <li className="port">
      <span className="port-name">
        <a href={enterPath(`${port.port}-${slug}`)} target="_blank" rel="noopener">
          {port.port}
          <span className="visually-hidden"> (opens in a new tab)</span>
        </a>
        {port.label && <span> {port.label}</span>}
      </span>
      <span className={port.listening ? "port-state port-listening" : "port-state"}>
        {port.listening ? "listening" : "nothing listens"}
      </span>
      <label>
        <span className="visually-hidden">Who may open port {port.port}</span>
        <select
          value={port.visibility}
          onChange={(event) => void onChange(port.port, event.target.value as Visibility)}
        >
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

import type { Resolution } from "../api/types";
import { Breakable } from "./Breakable";
import { Diagnostics, withCode } from "./Card";

const KINDS: Record<string, string> = {
  prebuilt: "Prebuilt image",
  devcontainer: "devcontainer.json",
  template: "Template",
};

/** What a source is, and why: shown before a workspace is made and on its page. */
export function ResolutionView({ resolution }: { resolution: Resolution }) {
  const { kind, because, commit, branch, path, config, template, image, dockerfile, diagnostics } =
    resolution;
  return (
    <div className="resolution">
      <p className="resolution-kind">
        <span className={`kind kind-${kind}`}>{KINDS[kind] ?? kind}</span> <span>{withCode(because)}</span>
      </p>
      <dl className="facts">
        {config && <Fact name="File" value={config} />}
        {template && <Fact name="Template" value={template} />}
        {image && <Fact name="Image" value={image} />}
        {dockerfile && <Fact name="Dockerfile" value={dockerfile} />}
        {branch && <Fact name="Branch" value={branch} />}
        {path && <Fact name="Linked" value={path} />}
        {commit && <Fact name="Commit" value={commit.slice(0, 12)} title={commit} />}
      </dl>
      <Diagnostics items={diagnostics} />
    </div>
  );
}

export function Fact({ name, value, title }: { name: string; value: string; title?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <code title={title}>
          <Breakable text={value} />
        </code>
      </dd>
    </div>
  );
}

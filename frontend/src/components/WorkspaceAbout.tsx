import { age } from "../age";
import type { Workspace } from "../api/types";
import { Fact, ResolutionView } from "./ResolutionView";

/** What a workspace was made from and what it is. */
export function WorkspaceAbout({ workspace, isLive }: { workspace: Workspace; isLive: boolean }) {
  const { id, resolution, user, folder, created_at } = workspace;
  return (
    <section className="panel" aria-labelledby="about-heading">
      <h2 id="about-heading">About</h2>
      {resolution ? <ResolutionView resolution={resolution} /> : <p className="quiet">Not resolved yet.</p>}
      <dl className="facts">
        {user && <Fact name="User" value={user} />}
        {folder && <Fact name="Folder" value={folder} />}
        <Fact name="Id" value={id} />
        <div>
          <dt>Created</dt>
          <dd>
            <time dateTime={created_at} title={new Date(created_at).toLocaleString()}>
              {age(created_at)}
            </time>
          </dd>
        </div>
      </dl>
      {!isLive && <p className="quiet">Not connected for live changes; trying again.</p>}
    </section>
  );
}

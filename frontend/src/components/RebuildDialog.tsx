import { useCallback, useState } from "react";
import { answer, client } from "../api/client";
import { usePoll } from "../poll";
import { Breakable } from "./Breakable";
import { ConfirmDialog } from "./ConfirmDialog";

interface Props {
  slug: string;
  /** The chosen configuration; none to keep to what it is made from. */
  onConfirm: (config: string | undefined) => void;
  onCancel: () => void;
}

/** Asks before a rebuild, and which configuration it takes where there are several. */
export function RebuildDialog({ slug, onConfirm, onCancel }: Props) {
  const load = useCallback(
    (signal: AbortSignal) =>
      answer(client.GET("/workspaces/{name}/configurations", { params: { path: { name: slug } }, signal })),
    [slug],
  );
  const { data } = usePoll(load, 0);
  const [picked, setPicked] = useState<string>();
  const used = data?.items.find((item) => item === data.used);
  const others = (data?.items ?? []).filter((item) => item !== used);
  // Where it came from something else, or from what is gone by now, that is a choice of its own.
  const choices = [used, ...others];

  return (
    <ConfirmDialog
      title={`Rebuild ${slug}?`}
      confirm="Rebuild it"
      onConfirm={() => onConfirm(picked)}
      onCancel={onCancel}
    >
      <p>
        The container is replaced by one from today’s configuration. Programs that run in it are ended, and
        what was installed outside the workspace folder is lost.
      </p>
      <p className="quiet">The repository and your changes in it stay as they are.</p>
      {others.length > 0 && (
        <fieldset className="choices">
          <legend>Which configuration</legend>
          {choices.map((choice) => (
            <label key={choice ?? ""}>
              <input
                type="radio"
                name="rebuild-config"
                checked={choice === (picked ?? choices[0])}
                onChange={() => setPicked(choice === used ? undefined : choice)}
              />
              {choice === undefined ? (
                "As before"
              ) : (
                <code>
                  <Breakable text={choice} />
                </code>
              )}
            </label>
          ))}
        </fieldset>
      )}
    </ConfirmDialog>
  );
}

import { useEffect, useState } from "react";

interface Props {
  text: () => string;
  /** What is copied, where the words on the button do not say it. They must be part of it. */
  label?: string;
  children: string;
}

/** Copies a text; where the browser forbids it (no secure context) it says how to do it by hand. */
export function CopyButton({ text, label, children }: Props) {
  const [said, setSaid] = useState<string>();

  useEffect(() => {
    if (said === undefined) return;
    const timer = setTimeout(() => setSaid(undefined), 2500);
    return () => clearTimeout(timer);
  }, [said]);

  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setSaid("Copied");
    } catch {
      setSaid("Select it and copy by hand");
    }
  };
  return (
    <>
      <button type="button" className="button button-small" aria-label={label} onClick={() => void copy()}>
        {said ?? children}
      </button>
      <span className="visually-hidden" role="status">
        {said}
      </span>
    </>
  );
}

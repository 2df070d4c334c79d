import { useLayoutEffect, useRef, type FocusEvent, type RefObject } from "react";

/** Whether what had the focus is gone, so that the next press of a key would start at the top of the page. */
export function isFocusLost(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** Gives the focus to the heading of the page. */
export function focusHeading(): void {
  document.querySelector<HTMLElement>("#main h1")?.focus({ preventScroll: true });
}

interface RowFocus<T extends HTMLElement> {
  ref: RefObject<T | null>;
  onFocus: (event: FocusEvent) => void;
  onBlur: (event: FocusEvent) => void;
}

/**
 * For a list (`li` elements under a heading `h2`): when the row that has the focus goes, the row in its place takes it,
 * and the heading when it was the last.
 */
export function useRowFocus<T extends HTMLElement>(items: unknown): RowFocus<T> {
  const ref = useRef<T>(null);
  const at = useRef<number>(undefined);
  const rows = (): HTMLElement[] => [...(ref.current?.querySelectorAll<HTMLElement>("li") ?? [])];

  useLayoutEffect(() => {
    if (at.current === undefined || !isFocusLost()) return;
    const left = rows();
    const row = left[Math.min(at.current, left.length - 1)];
    const next =
      row?.querySelector<HTMLElement>("a, button") ?? ref.current?.querySelector<HTMLElement>("h2");
    next?.focus();
  }, [items]);

  return {
    ref,
    onFocus: ({ target }) => {
      const row = target.closest("li");
      at.current = row ? rows().indexOf(row) : undefined;
    },
    onBlur: ({ target }) => {
      // Somebody moved on; a row that was taken away is no longer connected by then.
      queueMicrotask(() => {
        if (target.isConnected && isFocusLost()) at.current = undefined;
      });
    },
  };
}

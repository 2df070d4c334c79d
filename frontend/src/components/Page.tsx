import { useEffect, useLayoutEffect, useRef, type ReactNode } from "react";
import { hasMoved } from "../router";

interface Props {
  /** What the browser's tab says. */
  title: string;
  heading: ReactNode;
  /** Stands beside the heading. */
  aside?: ReactNode;
  children: ReactNode;
}

/** One page: its title, its heading, and the focus on the heading after a move. */
export function Page({ title, heading, aside, children }: Props) {
  const headingRef = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    document.title = title === "Steading" ? title : `${title} · Steading`;
  }, [title]);

  // Before the page can be seen: later, the focus would be taken from what somebody has gone to meanwhile.
  useLayoutEffect(() => {
    if (hasMoved()) headingRef.current?.focus({ preventScroll: true });
  }, []);

  return (
    <main id="main" className="page">
      <div className="page-head">
        <h1 ref={headingRef} tabIndex={-1}>
          {heading}
        </h1>
        {aside}
      </div>
      {children}
    </main>
  );
}

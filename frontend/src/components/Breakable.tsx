import { Fragment } from "react";

/** A path, an address or a name of an image, which breaks at its joints when it is too long for a line. */
export function Breakable({ text }: { text: string }) {
  return text.split(/(?<=[/@:])(?=[^/@:])/).map((part, index) => (
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

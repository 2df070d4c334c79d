/** So many bytes are drawn between two words to the server, which waits beyond a MiB. */
const STEP = 128 * 1024;

/**
 * Counts what a terminal has drawn and tells the total now and then. The first word, before anything is
 * drawn, is that there will be more of them: a server waits for nobody who never said one.
 */
export function countDrawn(tell: (total: number) => void): (bytes: number) => void {
  let drawn = 0;
  let told = 0;
  tell(0);
  return (bytes) => {
    drawn += bytes;
    if (drawn - told < STEP) return;
    told = drawn;
    tell(drawn);
  };
}

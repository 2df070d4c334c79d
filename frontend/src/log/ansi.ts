import Anser from "anser";

/** A stretch of text that looks the same throughout. */
export interface Span {
  text: string;
  /** Class names for the 16 named colours and for decorations. */
  classes: string;
  /** `rgb(…)` where a program chose a colour of its own. */
  color?: string | undefined;
  background?: string | undefined;
}

const ESC = "\u001b";
// Operating system commands (titles, links), and every CSI sequence that does not select a look.
const OSC = new RegExp(`${ESC}\\][^\u0007${ESC}]*(?:\u0007|${ESC}\\\\)?`, "g");
const CSI = new RegExp(`${ESC}\\[[0-9;:?<=>!]*[ -/]*[@-ln-~]`, "g");
const OTHER = new RegExp(`${ESC}(?![\\[])[ -/]*[0-~]?`, "g");
const CONTROLS = /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]/g;

/** What a terminal would show of a line: the last rewrite of it, without commands to the terminal. */
export function visible(text: string): string {
  const shown = text.replace(OSC, "").replace(CSI, "").replace(OTHER, "").replace(/\r+$/, "");
  return shown.slice(shown.lastIndexOf("\r") + 1).replace(CONTROLS, "");
}

/** A line as spans. The text stays text: nothing in it becomes markup. */
export function spans(line: string): Span[] {
  const text = visible(line);
  if (!text.includes(ESC)) return text === "" ? [] : [{ text, classes: "" }];
  return Anser.ansiToJson(text, { json: true, remove_empty: true, use_classes: true })
    .map((chunk) => {
      const front = colour(chunk.fg, chunk.fg_truecolor);
      const back = colour(chunk.bg, chunk.bg_truecolor);
      const classes = [
        front.name && `fg-${front.name}`,
        back.name && `bg-${back.name}`,
        ...chunk.decorations.map((decoration) => `text-${decoration}`),
      ];
      return {
        text: chunk.content.replaceAll(ESC, ""),
        classes: classes.filter(Boolean).join(" "),
        color: front.rgb,
        background: back.rgb,
      };
    })
    .filter((span) => span.text !== "");
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** Anser says `ansi-red`, `ansi-bright-red`, `ansi-palette-208` or `ansi-truecolor`. */
function colour(name: string | null, truecolor: string | null): { name?: string; rgb?: string } {
  if (!name) return {};
  if (name === "ansi-truecolor") return truecolor ? { rgb: `rgb(${truecolor})` } : {};
  const palette = /^ansi-palette-(\d+)$/.exec(name);
  if (!palette) return { name: name.replace(/^ansi-/, "") };
  return fromPalette(Number(palette[1]));
}

/** The 256 colours: 16 named ones, a cube of 6 × 6 × 6, and 24 greys. */
function fromPalette(index: number): { name?: string; rgb?: string } {
  if (index < 16) return { name: (index < 8 ? "" : "bright-") + (NAMES[index % 8] ?? "white") };
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return { rgb: `rgb(${grey}, ${grey}, ${grey})` };
  }
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return { rgb: `rgb(${[cube / 36, (cube / 6) % 6, cube % 6].map((s) => level(Math.floor(s))).join(", ")})` };
}

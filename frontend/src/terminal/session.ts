import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { countDrawn } from "./drawn";
import { control, terminalUrl } from "./socket";

/** Why a terminal ended. */
export interface End {
  message: string;
  hint?: string | undefined;
}

interface Options {
  name: string;
  element: HTMLElement;
  onOpen: () => void;
  onEnd: (end: End) => void;
  /** The person wants out of the terminal by keyboard. */
  onLeave: () => void;
}

export interface Session {
  focus: () => void;
  fit: () => void;
  dispose: () => void;
}

/** The console is dark in both themes, as programs expect. */
const THEME = {
  foreground: "#e3e7df",
  cursor: "#e7b04c",
  cursorAccent: "#131916",
  selectionBackground: "#3f5a4b",
  black: "#2c3530",
  red: "#ee8272",
  green: "#7fcf9f",
  yellow: "#e7b04c",
  blue: "#82b1e8",
  magenta: "#d69ad6",
  cyan: "#70c8c8",
  white: "#d5dbd3",
  brightBlack: "#8a978e",
  brightRed: "#ff9d8f",
  brightGreen: "#9be5b8",
  brightYellow: "#f4ca7a",
  brightBlue: "#a5caf5",
  brightMagenta: "#e7b7e7",
  brightCyan: "#95dede",
  brightWhite: "#ffffff",
};

/** Puts a terminal of a workspace into an element. */
export function openTerminal({ name, element, onOpen, onEnd, onLeave }: Options): Session {
  const style = getComputedStyle(element);
  const terminal = new Terminal({
    theme: { ...THEME, background: style.getPropertyValue("--console").trim() },
    fontFamily: style.fontFamily,
    fontSize: 14,
    cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    scrollback: 5000,
    minimumContrastRatio: 4.5,
  });
  const fitting = new FitAddon();
  terminal.loadAddon(fitting);
  terminal.open(element);
  fitting.fit();

  const socket = new WebSocket(terminalUrl(name, terminal.cols, terminal.rows, window.location));
  socket.binaryType = "arraybuffer";
  const encoder = new TextEncoder();
  let opened = false;
  let end: End | undefined;
  let disposed = false;
  let draw: ((bytes: number) => void) | undefined;

  const send = (data: string | Uint8Array<ArrayBuffer>): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(data);
  };

  socket.onopen = () => {
    opened = true;
    // The element may have been resized while the connection was made.
    send(JSON.stringify({ resize: [terminal.cols, terminal.rows] }));
    draw = countDrawn((total) => send(JSON.stringify({ drawn: total })));
    onOpen();
  };
  socket.onmessage = (message: MessageEvent<ArrayBuffer | string>) => {
    if (typeof message.data !== "string") {
      const bytes = new Uint8Array(message.data);
      terminal.write(bytes, () => draw?.(bytes.length));
      return;
    }
    const said = control(message.data);
    if (said?.kind === "exit") {
      end = {
        message: said.code === 0 ? "The shell has ended." : `The shell ended with exit code ${said.code}.`,
      };
    } else if (said) end = { message: said.message, hint: said.hint };
  };
  socket.onclose = () => {
    if (disposed) return;
    onEnd(end ?? (opened ? BROKEN : REFUSED));
  };

  terminal.onData((data) => send(encoder.encode(data)));
  // Mouse reports of old protocols are bytes, not text.
  terminal.onBinary((data) => send(Uint8Array.from(data, (char) => char.charCodeAt(0))));
  terminal.onResize(({ cols, rows }) => send(JSON.stringify({ resize: [cols, rows] })));
  terminal.attachCustomKeyEventHandler((event) => {
    // The terminal takes Tab for itself, so there must be another way out.
    if (event.key !== "F6" || !event.shiftKey) return true;
    if (event.type === "keydown") onLeave();
    return false;
  });

  const fit = (): void => {
    if (element.clientWidth > 0) fitting.fit();
  };
  const observer = new ResizeObserver(fit);
  observer.observe(element);

  return {
    focus: () => terminal.focus(),
    fit,
    dispose: () => {
      disposed = true;
      observer.disconnect();
      socket.close();
      terminal.dispose();
    },
  };
}

const BROKEN: End = {
  message: "The connection to the terminal was lost.",
  hint: "What ran in it has ended, unless it was started with nohup or in tmux. Open a new terminal.",
};

const REFUSED: End = {
  message: "The terminal could not be opened.",
  hint: "The workspace may just be stopping, or Steading cannot be reached. Try again in a moment.",
};

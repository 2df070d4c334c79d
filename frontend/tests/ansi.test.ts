import { describe, expect, it } from "vitest";
import { spans, visible } from "../src/log/ansi";
import { append } from "../src/log/feed";

const ESC = "\u001b";

describe("a line with colours", () => {
  it("becomes spans with class names", () => {
    expect(spans(`a ${ESC}[1;31mred${ESC}[0m b`)).toMatchObject([
      { text: "a ", classes: "" },
      { text: "red", classes: "fg-red text-bold" },
      { text: " b", classes: "" },
    ]);
  });

  it("keeps colours that a program chose itself", () => {
    expect(spans(`${ESC}[38;5;208mx`)[0]?.color).toBe("rgb(255, 135, 0)");
    expect(spans(`${ESC}[38;5;244mx`)[0]?.color).toBe("rgb(128, 128, 128)");
    expect(spans(`${ESC}[38;5;9mx`)[0]?.classes).toBe("fg-bright-red");
    expect(spans(`${ESC}[38;2;1;2;3mx`)[0]?.color).toBe("rgb(1, 2, 3)");
  });

  it("leaves markup as text", () => {
    const hostile = `<img src=x onerror=alert(1)> ${ESC}[31m<b>&amp;`;
    expect(
      spans(hostile)
        .map((span) => span.text)
        .join(""),
    ).toBe("<img src=x onerror=alert(1)> <b>&amp;");
  });

  it("never gives a program a say in more than colours", () => {
    const [span] = spans(`${ESC}[38;2;1;2;3;url(https://example.org)mx`);
    expect(span?.color ?? "").not.toContain("url");
  });
});

describe("what a terminal would show", () => {
  it("is the last rewrite of a line", () => {
    expect(visible("10%\r50%\r100%\r")).toBe("100%");
  });

  it("has no commands to the terminal", () => {
    expect(visible(`${ESC}]0;title\u0007${ESC}[2K${ESC}[1Adone${ESC}(B\u0008\u0000`)).toBe("done");
    expect(visible(`${ESC}]8;;https://example.org${ESC}\\link${ESC}]8;;${ESC}\\`)).toBe("link");
  });

  it("reads a long line of escapes in time", () => {
    const start = performance.now();
    spans(`${ESC}[31m`.repeat(20_000) + `${ESC}]`.repeat(20_000));
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

describe("the log", () => {
  it("forgets the oldest lines and counts them", () => {
    const line = (seq: number) => ({ seq, at: "", stream: "build", text: String(seq) });
    let log = append({ lines: [], dropped: 0, state: "read" }, [1, 2, 3].map(line), 4);
    log = append(log, [4, 5, 6].map(line), 4);
    expect(log.lines.map((l) => l.seq)).toEqual([3, 4, 5, 6]);
    expect(log.dropped).toBe(2);
  });
});

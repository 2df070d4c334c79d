import { describe, expect, it } from "vitest";
import { countDrawn } from "../src/terminal/drawn";

describe("what a terminal has drawn", () => {
  it("is announced, and told in steps that a server needs not wait for", () => {
    const told: number[] = [];
    const draw = countDrawn((total) => told.push(total));
    expect(told).toEqual([0]);
    for (let piece = 0; piece < 64; piece += 1) draw(16 * 1024);
    expect(told).toEqual([0, ...[1, 2, 3, 4, 5, 6, 7, 8].map((step) => step * 128 * 1024)]);
    draw(5);
    draw(1024 * 1024);
    expect(told.at(-1)).toBe(2 * 1024 * 1024 + 5);
  });
});

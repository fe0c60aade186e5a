import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatPercent,
  formatTimeLeft,
} from "./format";

describe("formatPercent", () => {
  it("rounds, but not to nothing or everything", () => {
    expect([0, 0.0001, 0.004, 0.006, 0.683, 0.996, 0.9999, 1].map(formatPercent)).toEqual([
      "0 %",
      "0 %",
      "< 1 %",
      "1 %",
      "68 %",
      "> 99 %",
      "100 %",
      "100 %",
    ]);
  });
});

describe("formatClock", () => {
  it("reads like a player's clock", () => {
    expect([0, 5, 59.6, 61, 3725.4].map((s) => formatClock(s))).toEqual([
      "0:00",
      "0:05",
      "1:00",
      "1:01",
      "1:02:05",
    ]);
    expect(formatClock(59.96, 1)).toBe("1:00.0");
    expect(formatClock(7.25, 2)).toBe("0:07.25");
    expect(formatClock(-1)).toBe("0:00");
  });
});

describe("durations", () => {
  it("name the two largest units", () => {
    expect([0.4, 12, 60, 75, 3600, 5400].map(formatDuration)).toEqual([
      "0 s",
      "12 s",
      "1 min",
      "1 min 15 s",
      "1 h",
      "1 h 30 min",
    ]);
  });
  it("are rough when they are guesses", () => {
    expect([2, 11, 90, 7300].map(formatTimeLeft)).toEqual([
      "a few seconds left",
      "about 15 s left",
      "about 2 min left",
      "about 2 h left",
    ]);
  });
});

describe("formatBytes", () => {
  it("keeps two figures", () => {
    expect([0, 999, 1000, 999_600, 5_632_118, 2.1e9].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.0 kB",
      "1.0 MB",
      "5.6 MB",
      "2.1 GB",
    ]);
  });
});

it("formatCount knows one from many", () => {
  expect([0, 1, 2].map((n) => formatCount(n, "face"))).toEqual(["0 faces", "1 face", "2 faces"]);
  expect(formatCount(2, "person", "people")).toBe("2 people");
});

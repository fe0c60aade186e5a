import { expect, it } from "vitest";
import { nameByTime } from "./download";

it("nameByTime names the hour of the clock on the wall", () => {
  expect(nameByTime("live", "csv", new Date(2026, 0, 31, 14, 5, 9))).toBe("live-2026-01-31-14-05-09.csv");
});

import { describe, expect, it } from "vitest";
import type { Job } from "../../api/types";
import { describeStatus, formatMoment, refuseSize } from "./wording";

const JOB: Job = {
  id: "f1",
  status: "running",
  progress: 0.42,
  seconds_left: 75,
  created: "2026-01-01T10:00:00Z",
  name: "a.mp4",
  duration_s: 65,
  files: [],
};

describe("describeStatus", () => {
  it("says where a film stands", () => {
    const say = (change: Partial<Job>) => describeStatus({ ...JOB, ...change });
    expect(say({})).toBe("42 % read, about 1 min left");
    expect(say({ seconds_left: null })).toBe("42 % read");
    expect(say({ status: "queued" })).toBe("Waiting for its turn");
    expect(say({ status: "done" })).toBe("Read · 1:05");
    const error = { code: "input.video", message: "the film is damaged", advice: "" };
    expect(say({ status: "failed", error })).toBe("Failed: the film is damaged");
  });
});

describe("refuseSize", () => {
  const limits = { max_upload_mb: 25, max_pixels: 1e8, max_film_mb: 2048, max_film_s: 7200 };
  it("refuses what the server would refuse after an hour", () => {
    expect(refuseSize(2.048e9, limits)).toBeNull();
    expect(refuseSize(2.1e9, limits)).toMatchObject({ code: "web.too_large" });
    expect(refuseSize(9e12, undefined)).toBeNull();
  });
});

it("formatMoment leaves out what is no time", () => {
  expect(formatMoment("soon")).toBe("");
  // In the zone and the calendar of whoever runs this, which need not be in 2026.
  const here = new Date(JOB.created).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  expect(formatMoment(JOB.created)).toBe(here);
});

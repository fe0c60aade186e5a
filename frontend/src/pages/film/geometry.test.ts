import { describe, expect, it } from "vitest";
import type { TimelineTrack } from "../../api/types";
import {
  CLOSEST_S,
  findBin,
  fitView,
  followView,
  layOutLane,
  listTicks,
  moveByKey,
  readBin,
  timeToX,
  xToTime,
  zoomView,
} from "./geometry";

const WHOLE = { start: 0, stop: 100 };
const bin = (start_s: number, shares: Record<string, number>, uncertain = 0, absent = 0) => ({
  start_s,
  end_s: start_s + 1,
  shares,
  uncertain,
  absent,
});
const TRACK: TimelineTrack = {
  track: 3,
  first_s: 2,
  last_s: 10,
  seen_s: 4,
  coverage: 0.04,
  dominant: "happy",
  shares: { happy: 0.7, sad: 0.3 },
  uncertain: 0,
  changes: 1,
  bins: [bin(2, { happy: 0.75, sad: 0.25 }), bin(3, { happy: 0.25 }, 0.25, 0.5), bin(9, { neutral: 1 })],
};

describe("views", () => {
  it("turn times into places and back", () => {
    const view = { start: 20, stop: 60 };
    expect(timeToX(30, view, 800)).toBe(200);
    for (const x of [0, 13, 800]) expect(timeToX(xToTime(x, view, 800), view, 800)).toBeCloseTo(x);
  });

  it("stay inside the film", () => {
    expect(fitView(-5, 20, WHOLE)).toEqual({ start: 0, stop: 20 });
    expect(fitView(95, 20, WHOLE)).toEqual({ start: 80, stop: 100 });
    expect(fitView(10, 500, WHOLE)).toEqual(WHOLE);
    expect(fitView(10, 0, WHOLE)).toEqual({ start: 10, stop: 10 + CLOSEST_S });
    expect(fitView(0, 10, { start: 0, stop: 0.5 })).toEqual({ start: 0, stop: 0.5 });
  });

  it("keep the time under the pointer while zooming", () => {
    const near = zoomView(WHOLE, 0.5, 30, WHOLE);
    expect(near).toEqual({ start: 15, stop: 65 });
    expect(timeToX(30, near, 1000)).toBeCloseTo(timeToX(30, WHOLE, 1000));
    expect(zoomView(near, 100, 30, WHOLE)).toEqual(WHOLE);
  });

  it("follow the playhead only when it leaves", () => {
    const view = { start: 10, stop: 20 };
    expect(followView(view, 19.9, WHOLE)).toBe(view);
    expect(followView(view, 25, WHOLE)).toEqual({ start: 24, stop: 34 });
    expect(followView(view, 99.9, WHOLE)).toEqual({ start: 90, stop: 100 });
  });
});

describe("listTicks", () => {
  it("gives round times with room for labels", () => {
    const ticks = listTicks(WHOLE, 800);
    expect(ticks.map((tick) => tick.label)).toEqual([
      "0:00",
      "0:10",
      "0:20",
      "0:30",
      "0:40",
      "0:50",
      "1:00",
      "1:10",
      "1:20",
      "1:30",
      "1:40",
    ]);
    expect((ticks[1]?.x ?? 0) - (ticks[0]?.x ?? 0)).toBeGreaterThanOrEqual(74);
    expect(listTicks({ start: 1, stop: 2 }, 300).map((tick) => tick.label)).toEqual([
      "0:01.0",
      "0:01.5",
      "0:02.0",
    ]);
    expect(listTicks(WHOLE, 0)).toEqual([]);
  });
});

describe("bins", () => {
  it("are found by time, and not where nobody is seen", () => {
    expect(findBin(TRACK, 2)).toBe(TRACK.bins[0]);
    expect(findBin(TRACK, 3.99)).toBe(TRACK.bins[1]);
    expect(findBin(TRACK, 9.5)).toBe(TRACK.bins[2]);
    for (const time of [0, 1.99, 4, 8.99, 10]) expect(findBin(TRACK, time)).toBeNull();
  });

  it("are read as what most of their time shows", () => {
    expect(TRACK.bins.map(readBin)).toEqual(["happy", "uncertain", "neutral"]);
  });

  it("are stacked from the bottom and clipped to the view", () => {
    const pieces = layOutLane(TRACK, { start: 2.5, stop: 4.5 }, 200);
    expect(pieces).toEqual([
      { reading: "sad", x: 0, width: 50, top: 0.75, bottom: 1 },
      { reading: "happy", x: 0, width: 50, top: 0, bottom: 0.75 },
      { reading: "happy", x: 50, width: 100, top: 0.75, bottom: 1 },
      { reading: "uncertain", x: 50, width: 100, top: 0.5, bottom: 0.75 },
    ]);
  });
});

describe("layOutLane", () => {
  it("joins what goes on from bin to bin, and nothing across a gap", () => {
    const bins = [bin(0, { happy: 1 }), bin(1, { happy: 1 }), bin(2, { sad: 1 }), bin(5, { sad: 1 })];
    expect(layOutLane({ ...TRACK, bins }, { start: 0, stop: 10 }, 100)).toEqual([
      { reading: "happy", x: 0, width: 20, top: 0, bottom: 1 },
      { reading: "sad", x: 20, width: 10, top: 0, bottom: 1 },
      { reading: "sad", x: 50, width: 10, top: 0, bottom: 1 },
    ]);
  });
});

describe("moveByKey", () => {
  it("moves within the film", () => {
    expect(moveByKey("ArrowRight", 5, WHOLE)).toBe(6);
    expect(moveByKey("PageDown", 5, WHOLE)).toBe(0);
    expect(moveByKey("End", 5, WHOLE)).toBe(100);
    expect(moveByKey("Home", 5, WHOLE)).toBe(0);
    expect(moveByKey("Tab", 5, WHOLE)).toBeNull();
  });
});

import { describe, expect, it } from "vitest";
import type { Face, Frame } from "../../api/types";
import { FaceFollower } from "./follower";
import { averageCourse, History, Rate, Recording, WINDOW_S } from "./history";

function makeFace(track: number | null, x: number, shares: Face["probabilities"] = { happy: 1 }): Face {
  return {
    box: [x, 10, x + 50, 70],
    score: 0.9,
    emotion: "happy",
    confidence: 1,
    probabilities: shares,
    votes: {},
    landmarks: null,
    quality: null,
    track,
  };
}

function makeFrame(time_s: number, faces: Face[]): Frame {
  const identity = { schema: "fervid/1", source: null, model: "small", detector: "faces" } as const;
  return { ...identity, size: [640, 480], frame: 0, time_s, faces };
}

describe("FaceFollower", () => {
  it("carries a face on the way it went, for a moment", () => {
    const follower = new FaceFollower();
    for (let i = 0; i <= 20; i++) follower.update(makeFrame(i / 10, [makeFace(1, 100 + 10 * i)]));
    const place = (time: number) => follower.place(time)[0]?.box[0] as number;
    expect(place(2)).toBe(300);
    expect(place(2.1)).toBeGreaterThan(305);
    expect(place(2.1)).toBeLessThan(312);
    expect(place(2.4)).toBeGreaterThan(place(2.2));
    expect(place(2.9)).toBe(place(2.4)); // nobody knows where it goes after that
    expect(follower.place(3.6)).toEqual([]);
  });

  it("leaves faces without a number where they were seen, and forgets", () => {
    const follower = new FaceFollower();
    follower.update(makeFrame(0, [makeFace(null, 100)]));
    expect(follower.place(0.3)[0]?.box).toEqual([100, 10, 150, 70]);
    follower.clear();
    expect(follower.place(0.3)).toEqual([]);
  });
});

describe("History", () => {
  it("averages seconds, and people within them alike", () => {
    const history = new History();
    // The first is read ten times in a second, the second once.
    for (let i = 0; i < 10; i++) history.add(makeFrame(5 + i / 20, [makeFace(1, 0, { happy: 1 })]));
    history.add(makeFrame(5.6, [makeFace(2, 0, { happy: 0.2, sad: 0.8 })]));
    const everybody = history.measure(null);
    expect(everybody.shares.happy.at(-1)).toBeCloseTo(0.6);
    expect(everybody.shares.sad.at(-1)).toBeCloseTo(0.4);
    expect(everybody.shares.happy.at(-2)).toBeNull();
    expect(history.measure(2).shares.sad.at(-1)).toBeCloseTo(0.8);
    expect([1, 2, 3].map((track) => history.knows(track))).toEqual([true, true, false]);
    expect(averageCourse(everybody)?.happy).toBeCloseTo(0.6);
    expect(averageCourse(history.measure(9))).toBeNull();
  });

  it("prefers smoothed shares and leaves out who has no number", () => {
    const history = new History();
    history.add(makeFrame(1, [{ ...makeFace(1, 0), smoothed: { sad: 1 } }, makeFace(null, 0)]));
    expect(history.measure(null).shares.sad.at(-1)).toBe(1);
  });

  it("forgets what is older than a minute", () => {
    const history = new History();
    history.add(makeFrame(0.5, [makeFace(1, 0)]));
    history.add(makeFrame(WINDOW_S - 0.5, [makeFace(2, 0)]));
    expect(history.measure(1).shares.happy[0]).toBe(1);
    history.add(makeFrame(WINDOW_S + 5, [makeFace(2, 0)]));
    expect([history.knows(1), history.knows(2)]).toEqual([false, true]);
    expect(history.measure(null).times).toHaveLength(WINDOW_S);
    expect(history.measure(null).times.at(-1)).toBe(0);
  });
});

it("a recording ends where it is full", () => {
  const recording = new Recording(12);
  const crowd = makeFrame(
    0,
    Array.from({ length: 5 }, (_, i) => makeFace(i, i)),
  );
  expect([1, 2, 3].map(() => recording.add(crowd))).toEqual([true, true, false]);
  expect(recording.rows).toBe(10);
  expect(recording.write().trimEnd().split("\n")).toHaveLength(11);
});

it("a recording of nobody does not grow", () => {
  const recording = new Recording();
  for (let i = 0; i < 1000; i++) expect(recording.add(makeFrame(i, []))).toBe(true);
  recording.add(makeFrame(2000, [makeFace(1, 0)]));
  const lines = recording.write().trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]?.split(",")[2]).toBe("2000.0"); // since it began
});

it("a recording is the CSV of its frames, rounded", () => {
  const recording = new Recording();
  expect(recording.write().trimEnd().split(",")).toHaveLength(20);
  const face = { ...makeFace(1, 10.123456), confidence: 0.123456789, probabilities: { happy: 1 / 3 } };
  recording.add(makeFrame(7, [face, makeFace(null, 0)]));
  recording.add(makeFrame(7.12345, [makeFace(2, 0)]));
  const [header, first, ...others] = recording.write().trimEnd().split("\n");
  expect(header?.startsWith("source,frame,time_s,face,track,x1")).toBe(true);
  expect(first).toBe("camera,0,0.0,0,1,10.12,10.0,60.12,70.0,0.9,happy,0.123457,,,,0.333333,,,,small");
  expect(others.map((line) => line.split(",").slice(2, 5).join())).toEqual(["0.0,1,", "0.123,0,2"]);
});

it("a rate counts the last two seconds", () => {
  const rate = new Rate();
  expect(rate.measure(0)).toBe(0);
  for (let i = 0; i < 100; i++) rate.add(i / 10);
  expect(rate.measure(9.95)).toBeCloseTo(10);
});

it("a rate falls when nothing happens any more", () => {
  const rate = new Rate();
  for (let i = 0; i <= 20; i++) rate.add(i / 10);
  expect(rate.measure(2.1)).toBeCloseTo(10); // the next one may be due
  expect(rate.measure(3)).toBeCloseTo(10 / 1.8);
  expect(rate.measure(4.1)).toBe(0);
});

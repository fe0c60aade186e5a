import { describe, expect, it } from "vitest";
import type { Quality, Votes } from "../../api/types";
import { VOTE_LABELS } from "../../generated/vocabulary";
import { knowsVotes } from "../../ui/expression";
import { tintFace } from "./evidence";
import { listHints } from "./quality";

function greyFace(side: number): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(4 * side * side).fill(128);
  for (let at = 3; at < pixels.length; at += 4) pixels[at] = 255;
  return pixels;
}

const at = (pixels: Uint8ClampedArray, side: number, x: number, y: number) => [
  ...pixels.slice(4 * (y * side + x), 4 * (y * side + x) + 4),
];

describe("tintFace", () => {
  it("lays orange where a place speaks for and blue where it speaks against", () => {
    const pixels = greyFace(63);
    tintFace(pixels, 63, [
      [8, 0, 0],
      [0, 0, 0],
      [0, 0, -8],
    ]);
    // 62 % of the colour over 128 at the middles of the strongest places.
    expect(at(pixels, 63, 10, 10)).toEqual([207, 101, 49, 255]);
    expect(at(pixels, 63, 52, 52)).toEqual([49, 117, 207, 255]);
    expect(at(pixels, 63, 31, 31)).toEqual([128, 128, 128, 255]);
  });

  it("turns the face grey and leaves its border as it was", () => {
    const pixels = greyFace(50);
    for (let pixel = 0; pixel < 2500; pixel++) pixels.set([201, 100, 0], 4 * pixel);
    tintFace(pixels, 50, [[0]]);
    const [red, green, blue] = at(pixels, 50, 25, 25);
    expect(red).toBe(green);
    expect(green).toBe(blue);
    expect(red).toBe(Math.round(0.299 * 201 + 0.587 * 100));
    const [edgeRed, , edgeBlue] = at(pixels, 50, 0, 25);
    expect(edgeRed).toBeGreaterThan(180);
    expect(edgeBlue).toBeLessThan(15);
  });

  it("shows weak evidence weakly and survives an empty map", () => {
    const weak = greyFace(20);
    const strong = greyFace(20);
    tintFace(weak, 20, [[0.4]]);
    tintFace(strong, 20, [[4]]);
    const orange = (pixels: Uint8ClampedArray) =>
      (at(pixels, 20, 10, 10)[0] ?? 0) - (at(pixels, 20, 10, 10)[2] ?? 0);
    expect(orange(weak)).toBeGreaterThan(0);
    expect(orange(weak)).toBeLessThan(orange(strong) / 5);
    const before = greyFace(4);
    tintFace(before, 4, []);
    expect(before).toEqual(greyFace(4));
  });
});

describe("listHints", () => {
  const good: Quality = { size_px: 120, sharpness: 300, roll_deg: 3, yaw: -0.1 };
  const labels = (change: Partial<Quality>) => listHints({ ...good, ...change }).map((hint) => hint.label);

  it("says what makes a face hard to read", () => {
    expect(labels({})).toEqual([]);
    expect(labels({ size_px: 20 })).toEqual(["small"]);
    expect(labels({ sharpness: 20, yaw: -0.6, roll_deg: -40 })).toEqual(["blurred", "turned away", "tilted"]);
    expect(labels({ yaw: null, roll_deg: null })).toEqual([]);
    expect(listHints(null)).toEqual([]);
  });
});

describe("knowsVotes", () => {
  it("leaves the votes out where nobody taught the network how people vote", () => {
    const even: Votes = Object.fromEntries(VOTE_LABELS.map((label) => [label, 0.125]));
    expect(knowsVotes(even)).toBe(false);
    expect(knowsVotes({ ...even, happy: 0.126 })).toBe(true);
  });
});

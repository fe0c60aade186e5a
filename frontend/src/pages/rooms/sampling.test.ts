import { describe, expect, it } from "vitest";
import type { Emotion } from "../../generated/vocabulary";
import { coarsen, describeCounts, Sampler } from "./sampling";

const repeat = (label: Emotion | null, count: number): (Emotion | null)[] => Array(count).fill(label);

describe("coarsen", () => {
  it("gives fifths", () => {
    expect(coarsen([...repeat("happy", 12), ...repeat("neutral", 8)], 5)).toEqual({ happy: 3, neutral: 2 });
    expect(coarsen(repeat("sad", 7), 5)).toEqual({ sad: 5 });
  });

  it("counts nothing where nothing was read", () => {
    expect(coarsen([], 5)).toEqual({});
    expect(coarsen(repeat(null, 9), 5)).toEqual({});
    expect(coarsen([...repeat(null, 16), ...repeat("fear", 4)], 5)).toEqual({ fear: 1 });
  });

  it("never makes an expression out of a tie with no answer", () => {
    expect(coarsen([...repeat("happy", 5), ...repeat(null, 5)], 5)).toEqual({ happy: 2 });
    const thirds = [...repeat(null, 4), ...repeat("happy", 1), ...repeat("sad", 10)];
    expect(coarsen(thirds, 5)).toEqual({ sad: 3 });
  });

  it("sums to the steps at most, and is whole", () => {
    const labels: (Emotion | null)[] = [
      "happy",
      "sad",
      "neutral",
      "angry",
      null,
      "surprise",
      "fear",
      "disgust",
    ];
    for (let size = 1; size < 60; size++) {
      const samples = Array.from({ length: size }, (_, i) => labels[(i * i + size) % 8] ?? null);
      const counts = Object.values(coarsen(samples, 5));
      expect(counts.every((count) => Number.isInteger(count) && count > 0)).toBe(true);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(5);
    }
  });
});

it("describeCounts says what is left", () => {
  expect(describeCounts({ neutral: 1, happy: 3 }, 5)).toBe("happy 3 of 5, neutral 1 of 5, nothing in 1 of 5");
  expect(describeCounts({}, 5)).toBe("nothing in 5 of 5");
  expect(describeCounts({ sad: 5 }, 5)).toBe("sad 5 of 5");
});

it("Sampler begins anew with every bucket and keeps no past", () => {
  const sampler = new Sampler();
  for (let i = 0; i < 500; i++) sampler.add("happy");
  expect(sampler.size).toBe(20);
  expect(sampler.measure(5)).toEqual({ happy: 5 });
  expect(sampler.take(5)).toEqual({ happy: 5 });
  expect(sampler.size).toBe(0);
  expect(sampler.take(5)).toEqual({});
});

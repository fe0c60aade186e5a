// @vitest-environment node
import { describe, expect, it } from "vitest";
import { assign } from "./assignment";
import type { Detection } from "./decoding";
import { GOLDEN } from "./golden/pictures";
import { Smoother } from "./smoothing";
import { Tracker } from "./tracker";

describe("assign", () => {
  for (const { costs, ceiling, pairs } of GOLDEN.assignments) {
    it(`pairs ${costs.length} with ${costs[0].length} as Python does`, () => {
      const real = costs.map((row: number[]) =>
        row.map((cost) => (cost > 1e6 ? Number.POSITIVE_INFINITY : cost)),
      );
      expect(assign(real, ceiling)).toEqual(pairs);
    });
  }

  it("pairs nothing with nothing", () => {
    expect(assign([], 1)).toEqual([]);
    expect(assign([[]], 1)).toEqual([]);
  });
});

describe("Tracker", () => {
  for (const [index, { size, sure_score, frames, boxes }] of GOLDEN.tracks.entries()) {
    it(`gives the numbers that Python gives, sequence ${index + 1}`, () => {
      const tracker = new Tracker({ sureScore: sure_score });
      let last: ReturnType<Tracker["update"]> = [];
      for (const { time_s, detections, ids } of frames) {
        const seen: Detection[] = detections.map(([x1, y1, x2, y2, score]: number[]) => ({
          box: { x1, y1, x2, y2 },
          score,
          landmarks: null,
        }));
        last = tracker.update(seen, time_s, size);
        // an id may be confirmed by the very frame
        expect(last.map((track) => track?.id ?? null)).toEqual(ids);
      }
      const places = last.flatMap((track) => (track ? [track.motion.box] : []));
      for (const [x1, y1, x2, y2] of boxes) {
        const nearest = Math.min(
          ...places.map((box) =>
            Math.max(...[box.x1 - x1, box.y1 - y1, box.x2 - x2, box.y2 - y2].map(Math.abs)),
          ),
        );
        expect(nearest).toBeLessThan(2e-3);
      }
    });
  }

  it("refuses time that runs backwards", () => {
    const tracker = new Tracker({ sureScore: 0.5 });
    tracker.update([], 1, [10, 10]);
    expect(() => tracker.update([], 0.5, [10, 10])).toThrow(RangeError);
  });
});

describe("Smoother", () => {
  for (const [index, { threshold, smooth_s, samples }] of GOLDEN.smoothing.entries()) {
    it(`says what Python says, sequence ${index + 1}`, () => {
      const smoother = new Smoother(threshold, smooth_s);
      for (const { time_s, values, mean, label } of samples) {
        const answer = smoother.smooth(1, values, time_s);
        expect(answer.values).toHaveLength(mean.length);
        expect(mean.length).toBeGreaterThan(0);
        answer.values.forEach((value, i) => {
          expect(value).toBeCloseTo(mean[i], 5);
        });
        expect(answer.label).toBe(label);
      }
    });
  }
});

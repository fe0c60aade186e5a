// @vitest-environment node
import { describe, expect, it } from "vitest";
import { assign } from "./assignment";
import type { Classifier } from "./classifier";
import type { Detection } from "./decoding";
import type { Detector } from "./detector";
import { GOLDEN } from "./golden/pictures";
import { type Box, squareAround } from "./picture";
import { Reading } from "./reading";
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

  it("ends everybody at a cut, and gives no number again", () => {
    const tracker = new Tracker({ sureScore: 0.5 });
    const seen: Detection[] = [{ box: squareAround({ x: 300, y: 300 }, 100), score: 0.9, landmarks: null }];
    const follow = (timeS: number) => tracker.update(seen, timeS, [640, 480])[0]?.id;
    expect([0, 0.1, 0.2].map(follow)).toEqual([null, 1, 1]);
    tracker.end();
    expect([0.3, 0.4, 0.5].map(follow)).toEqual([null, 2, 2]);
  });

  it("refuses time that runs backwards", () => {
    const tracker = new Tracker({ sureScore: 0.5 });
    tracker.update([], 1, [10, 10]);
    expect(() => tracker.update([], 0.5, [10, 10])).toThrow(RangeError);
  });
});

describe("Reading", () => {
  type Step = [timeS: number, size: readonly [number, number], x: number, level?: number];
  const UPRIGHT = [60, 100] as const;
  const WIDE = [100, 60] as const;

  /** The number of one face at such places in pictures of such sizes and grey levels. */
  async function follow(steps: Step[]) {
    let x = 0;
    const detector = {
      spec: { score_threshold: 0.5 },
      detectReduced: async () => [{ box: squareAround({ x, y: 30 }, 20), score: 0.9, landmarks: null }],
      frame: (box: Box) => ({ box, angleDeg: 0 }),
    } as unknown as Detector;
    const classifier = {
      spec: { labels: ["happy"], vote_labels: [], threshold: 0.5 },
      predict: async () => [{ probabilities: [1], votes: [] }],
    } as unknown as Classifier;
    const reading = new Reading(detector, classifier, { model: "m", detector: "d" });
    const numbers = [];
    for (const [timeS, [width, height], place, level = 0] of steps) {
      x = place;
      const data = new Uint8Array(width * height).fill(level);
      const picture = { width, height, channels: 1, data } as const;
      numbers.push((await reading.read(picture, timeS)).frame.faces[0]?.track);
    }
    return numbers;
  }

  it("expects nobody of an upright picture in a wide one", async () => {
    const steps = [0, 0.1, 0.2, 0.3, 0.4, 0.5].map(
      (timeS): Step => [timeS, timeS < 0.3 ? UPRIGHT : WIDE, 30],
    );
    expect(await follow(steps)).toEqual([null, 1, 1, null, 2, 2]);
  });

  it("takes nobody after a cut inside the camera for whoever stood there", async () => {
    const steps = [0, 0.1, 0.2, 0.3, 0.4, 0.5].map(
      (timeS): Step => [timeS, WIDE, 30, timeS < 0.3 ? 40 : 200],
    );
    expect(await follow(steps)).toEqual([null, 1, 1, null, 2, 2]);
  });

  it.each([
    [1.5, [1, 1]],
    [600, [null, 2]],
  ])("after %s s without pictures gives %j", async (seconds, numbers) => {
    const times = [0, 0.1, 0.2, 0.3 + seconds, 0.4 + seconds];
    const steps = times.map((timeS): Step => [timeS, WIDE, timeS > 0.2 ? 60 : 30]);
    expect((await follow(steps)).slice(3)).toEqual(numbers);
  });

  it("knows no pauses where pictures always come seldom", async () => {
    expect(await follow([0, 5, 10, 15].map((timeS): Step => [timeS, WIDE, 30]))).toEqual([null, 1, 1, 1]);
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

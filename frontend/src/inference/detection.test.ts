// @vitest-environment node
import { describe, expect, it } from "vitest";
import { decode } from "./decoding";
import { suppressOverlaps } from "./geometry";
import { GOLDEN, makeValues } from "./golden/pictures";
import { planPasses } from "./passes";
import type { Box } from "./picture";

const STRIDES = [8, 16, 32];
const { decoding } = GOLDEN;

function makeOutputs(width: number, height: number): Record<string, Float32Array> {
  const outputs: Record<string, Float32Array> = {};
  const kinds = [
    ["cls", 1],
    ["obj", 1],
    ["bbox", 4],
    ["kps", 10],
  ] as const;
  for (const stride of STRIDES) {
    const cells = Math.floor(width / stride) * Math.floor(height / stride);
    kinds.forEach(([kind, size], place) => {
      const values = makeValues(cells * size, 10 * stride + place);
      outputs[`${kind}_${stride}`] = kind === "bbox" ? values.map((value) => value * 2 - 0.5) : values;
    });
  }
  return outputs;
}

const corners = ({ x1, y1, x2, y2 }: Box) => [x1, y1, x2, y2];

function expectClose(found: number[][], wanted: number[][]): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((row, i) => {
    row.forEach((value, j) => {
      expect(value).toBeCloseTo(wanted[i]?.[j] as number, 3);
    });
  });
}

describe("decode", () => {
  const [width, height] = decoding.size;
  const found = decode(makeOutputs(width, height), width, height, STRIDES, decoding.score);

  it("finds the boxes, scores and points that Python finds", () => {
    expectClose(
      found.map(({ box, score, landmarks }) => [
        ...corners(box),
        score,
        ...(landmarks ?? []).flatMap(({ x, y }) => [x, y]),
      ]),
      decoding.found,
    );
  });

  it("keeps of them what Python keeps", () => {
    expectClose(
      suppressOverlaps(found, decoding.overlap).map(({ box }) => corners(box)),
      decoding.kept,
    );
    expectClose(
      suppressOverlaps(found, decoding.overlap, decoding.containment).map(({ box }) => corners(box)),
      decoding.kept_whole,
    );
    expect(decoding.kept_whole.length).toBeLessThan(decoding.kept.length);
  });
});

describe("planPasses", () => {
  for (const { picture, min_face, passes } of GOLDEN.plans) {
    it(`reads ${picture} for faces of ${min_face} px as Python does`, () => {
      const plan = planPasses(picture[0], picture[1], min_face, { smallest: 20, largest: 320, tile: 1280 });
      expect(plan.map((pass) => [pass.width, pass.height, pass.tiles.map(corners)])).toEqual(passes);
    });
  }
});

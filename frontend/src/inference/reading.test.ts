// @vitest-environment node
import * as ort from "onnxruntime-web";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Face } from "../api/types";
import { Classifier, restrictVotes, softmax } from "./classifier";
import { Detector } from "./detector";
import { GOLDEN, makeScene, makeValues, readBundled } from "./golden/pictures";
import { readMetadata, readOperators } from "./metadata";
import { checkIntegrity } from "./models";
import type { Network } from "./network";
import { DEFAULT_SETTINGS, Reading } from "./reading";
import { OrtNetwork } from "./runtime";
import { readDetectorSpec, readModelSpec } from "./specs";

async function open(file: Uint8Array): Promise<Network> {
  ort.env.wasm.numThreads = 1;
  return new OrtNetwork(ort, await ort.InferenceSession.create(file), "wasm");
}

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 }); // the runtime takes its time on a busy machine

describe("metadata", () => {
  it("holds the specs that Python wrote", () => {
    const model = readModelSpec(readBundled("base.onnx"));
    expect(model).toMatchObject({ name: "base", kernel: "triangle" });
    expect(model.labels).toHaveLength(7);
    expect(readDetectorSpec(readBundled("faces.onnx"))).toMatchObject({
      name: "faces",
      strides: [8, 16, 32],
    });
    expect(readMetadata(readBundled("base.onnx")).has("fervid.layers")).toBe(true);
  });

  it("lists the operators of a network", () => {
    expect(readOperators(readBundled("faces.onnx"))).toContain("Conv");
  });

  it("refuses files that are something else", () => {
    expect(() => readModelSpec(readBundled("faces.onnx"))).toThrow("detection");
    expect(() => readDetectorSpec(readBundled("base.onnx"))).toThrow("no faces");
    expect(() => readModelSpec(new Uint8Array([8, 1]))).toThrow("no fervid.spec");
    expect(() => readModelSpec(readBundled("base.onnx").subarray(0, 1000))).toThrow("damaged");
    expect(() => readModelSpec(new TextEncoder().encode("<html>"))).toThrow("damaged");
  });

  it("notices a file that is not the published one", async () => {
    const [identity] = Object.values(GOLDEN.scene.models).map((m) => (m as { identity: string }).identity);
    const file = readBundled("base.onnx");
    const entry = { name: "base", bytes: file.length, task: "expression", default: true, identity } as const;
    await expect(
      checkIntegrity(file, { ...entry, identity: identity as string, sha256: "00" }),
    ).rejects.toThrow("not the published one");
  });
});

it("two heads blend as in Python", () => {
  const { blend, temperature, votes_temperature, votes, answer } = GOLDEN.blend;
  const scale = (values: Float32Array) => values.map((value) => value * 8);
  const head = softmax(scale(makeValues(8, 2)), votes_temperature);
  const labels = softmax(scale(makeValues(7, 1)), temperature);
  expect([head.length, labels.length]).toEqual([8, 7]);
  head.forEach((value, i) => {
    expect(value).toBeCloseTo(votes[i], 6);
  });
  const restricted = restrictVotes(head, 7);
  labels.forEach((value, i) => {
    expect((1 - blend) * value + blend * (restricted[i] as number)).toBeCloseTo(answer[i], 6);
  });
});

describe("Reading", () => {
  const faces = readBundled("faces.onnx");
  let detector: Detector;
  beforeAll(async () => {
    detector = new Detector(await open(faces), readDetectorSpec(faces));
  });

  for (const [name, { identity, face }] of Object.entries(GOLDEN.scene.models) as [
    string,
    { identity: string; face: Face },
  ][]) {
    it(`reads the portrait with ${name} as Python does`, async () => {
      const file = readBundled(`${name}.onnx`);
      const classifier = new Classifier(await open(file), readModelSpec(file));
      const settings = { ...DEFAULT_SETTINGS, min_face: 20 };
      const reading = new Reading(detector, classifier, { model: identity, detector: "faces" }, settings);
      // int8 rounds at every layer: there the last bit of a float may decide about a step
      const tolerance = readOperators(file).has("QuantizeLinear") ? 0.02 : 1e-3;
      const { frame } = await reading.read(makeScene(), 0);
      const [found] = frame.faces;
      expect(frame.faces).toHaveLength(1);
      found?.box.forEach((value, i) => {
        expect(Math.abs(value - (face.box[i] as number))).toBeLessThan(0.02);
      });
      expect(found?.landmarks).toHaveLength(5);
      found?.landmarks?.flat().forEach((value, i) => {
        expect(Math.abs(value - (face.landmarks?.flat()[i] as number))).toBeLessThan(0.02);
      });
      expect(found?.emotion).toBe(face.emotion);
      expect(Object.keys(found?.probabilities ?? {})).toEqual(Object.keys(face.probabilities));
      for (const [label, value] of Object.entries(face.probabilities)) {
        expect(
          Math.abs((found?.probabilities[label as keyof Face["probabilities"]] ?? -1) - value),
        ).toBeLessThan(tolerance);
      }
      expect(Object.keys(found?.votes ?? {})).toEqual(Object.keys(face.votes));
      for (const [label, value] of Object.entries(face.votes)) {
        expect(Math.abs((found?.votes[label as keyof Face["votes"]] ?? -1) - value)).toBeLessThan(tolerance);
      }
      expect(found?.quality?.sharpness).toBeCloseTo(face.quality?.sharpness as number, 0);
      expect(found?.quality?.roll_deg).toBeCloseTo(face.quality?.roll_deg as number, 1);
    });

    it(`follows the portrait with ${name}: numbers and smoothed answers`, async () => {
      const file = readBundled(`${name}.onnx`);
      const classifier = new Classifier(await open(file), readModelSpec(file));
      const settings = { ...DEFAULT_SETTINGS, labels: 6 as const };
      const reading = new Reading(detector, classifier, { model: identity, detector: "faces" }, settings);
      const numbers = [];
      for (const time of [0, 0.1, 0.2]) numbers.push((await reading.read(makeScene(), time)).frame.faces[0]);
      expect(numbers.map((seen) => seen?.track)).toEqual([null, 1, 1]);
      expect(numbers[2]?.smoothed).toBeDefined();
      expect(Object.keys(numbers[2]?.probabilities ?? {})).toHaveLength(6);
      expect(numbers[2]?.emotion).toBe(face.emotion);
    });
  }
});

/** What travels with the weights, under `fervid.spec`: see `fervid.models.spec` and `fervid.models.detectorspec`. */

import { InferenceError } from "./errors";
import { readMetadata } from "./metadata";

export interface ModelSpec {
  name: string;
  version: string;
  labels: string[];
  vote_labels: string[];
  /** Side of the network's input, px. */
  size: number;
  /** Share of the face's square that the network is shown. */
  crop: number;
  kernel: string;
  mean: number;
  std: number;
  temperature: number;
  votes_temperature: number;
  /** Share of the votes head in the answer. */
  blend: number;
  /** Below this confidence an answer is uncertain. */
  threshold: number;
}

export interface DetectorSpec {
  name: string;
  version: string;
  colour_order: "RGB" | "BGR";
  mean: number;
  std: number;
  score_threshold: number;
  overlap_threshold: number;
  /** Heights of the faces that one reading finds, px of the network's input. */
  smallest_face: number;
  largest_face: number;
  /** Side of the face's square as a share of the box's height; shifts of its centre as shares of that side. */
  framing: [number, number, number];
  strides: number[];
  /** Of the input: one colour after the other, float32, or pixels as they are, uint8. */
  layout: "planes" | "pixels";
}

const SPEC_KEY = "fervid.spec";
const KERNEL = "triangle";

export function readModelSpec(file: Uint8Array): ModelSpec {
  const table = readTable(file);
  if (table.task !== undefined && table.task !== "expression") throw contract(`its task is ${table.task}`);
  const spec = { blend: 0, kernel: KERNEL, ...table } as unknown as ModelSpec;
  if (spec.kernel !== KERNEL) throw contract(`it wants the resize kernel ${spec.kernel}`);
  checkNumbers(spec, ["size", "crop", "std", "temperature", "votes_temperature"], true);
  checkNumbers(spec, ["mean", "blend", "threshold"], false);
  if (!isListOf(spec.labels, "string") || !isListOf(spec.vote_labels, "string"))
    throw contract("it lacks labels");
  return spec;
}

export function readDetectorSpec(file: Uint8Array): DetectorSpec {
  const table = readTable(file);
  if (table.task !== "detection") throw contract("it finds no faces");
  const spec = { layout: "planes", ...table } as unknown as DetectorSpec;
  if (spec.layout !== "planes" && spec.layout !== "pixels") throw contract(`its layout is ${spec.layout}`);
  checkNumbers(spec, ["std", "score_threshold", "overlap_threshold", "smallest_face", "largest_face"], true);
  checkNumbers(spec, ["mean"], false);
  if (!isListOf(spec.framing, "number") || spec.framing.length !== 3) throw contract("it lacks a framing");
  if (!isListOf(spec.strides, "number") || spec.strides.length === 0) throw contract("it lacks strides");
  return spec;
}

function readTable(file: Uint8Array): Record<string, unknown> {
  const text = readMetadata(file).get(SPEC_KEY);
  if (text === undefined) throw contract(`it carries no ${SPEC_KEY}`);
  try {
    const table: unknown = JSON.parse(text);
    if (typeof table === "object" && table !== null) return table as Record<string, unknown>;
  } catch {
    // said below
  }
  throw contract(`its ${SPEC_KEY} is damaged`);
}

function checkNumbers<T extends object>(spec: T, names: (keyof T)[], positive: boolean): void {
  for (const name of names) {
    const value = spec[name];
    if (typeof value !== "number" || !Number.isFinite(value) || (positive && value <= 0)) {
      throw contract(`its ${String(name)} is ${String(value)}`);
    }
  }
}

function isListOf(value: unknown, kind: "string" | "number"): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === kind);
}

function contract(what: string): InferenceError {
  return new InferenceError("model.contract", `the model cannot be used here: ${what}`, "Update fervid.");
}

/**
 * ONNX Runtime in the browser.
 *
 * Two builds of it are there, each fetched when it is needed: one for WebAssembly alone, and one that also drives the
 * graphics processor (WebGPU, with JavaScript Promise Integration: the smallest build that can).
 */

import type { Env, InferenceSession, Tensor as OrtTensor, TensorConstructor } from "onnxruntime-common";
import { readOperators } from "./metadata";
import type { Network, Tensor } from "./network";

export type Backend = "webgpu" | "wasm";

interface Ort {
  env: Env;
  InferenceSession: {
    create(file: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  Tensor: TensorConstructor;
}

/** What a network is tried with before it is used. */
export interface Trial {
  input: Tensor;
  outputs: readonly string[];
}

/** A trial on the graphics processor must agree with WebAssembly to this, as a share of the largest value. */
const AGREEMENT = 1e-2;
const TRIAL_RUNS = 3;

export class OrtNetwork implements Network {
  readonly backend: Backend;
  private readonly ort: Ort;
  private readonly session: InferenceSession;

  constructor(ort: Ort, session: InferenceSession, backend: Backend) {
    this.ort = ort;
    this.session = session;
    this.backend = backend;
  }

  async run(input: Tensor, outputs: readonly string[]): Promise<Record<string, Float32Array>> {
    const { data, dims } = input;
    const tensor: OrtTensor =
      data instanceof Uint8Array
        ? new this.ort.Tensor("uint8", data, dims)
        : new this.ort.Tensor("float32", data, dims);
    const results = await this.session.run({ [this.session.inputNames[0] as string]: tensor }, [...outputs]);
    const values: Record<string, Float32Array> = {};
    for (const name of outputs) values[name] = (await results[name]?.getData()) as Float32Array;
    return values;
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

export class Runtime {
  readonly threads: number;
  private readonly ort: Ort;
  private readonly backends: readonly Backend[];

  private constructor(ort: Ort, backends: readonly Backend[], threads: number) {
    this.ort = ort;
    this.backends = backends;
    this.threads = threads;
  }

  /** `wanted` is a backend to use alone; null tries what there is and takes the fastest. */
  static async open(wanted: Backend | null = null): Promise<Runtime> {
    const threads = countThreads();
    if (wanted !== "wasm" && (await hasGraphics())) {
      try {
        const ort = (await import("onnxruntime-web/jspi")) as unknown as Ort;
        ort.env.wasm.numThreads = threads;
        return new Runtime(ort, wanted === null ? ["webgpu", "wasm"] : [wanted], threads);
      } catch (error) {
        if (wanted !== null) throw error;
      }
    }
    const ort = (await import("onnxruntime-web/wasm")) as unknown as Ort;
    ort.env.wasm.numThreads = threads;
    return new Runtime(ort, ["wasm"], threads);
  }

  /** Load a network; where there are several ways to run it, on the fastest that agrees with WebAssembly. */
  async load(file: Uint8Array, trial: Trial): Promise<Network & { backend: Backend }> {
    const isQuantised = [...readOperators(file)].some((name) => /Quant|Integer|QLinear/.test(name));
    const backends = isQuantised ? (["wasm"] as const) : this.backends;
    if (backends.length === 1) return this.create(file, backends[0] as Backend, trial);
    const reference = await this.create(file, "wasm", trial);
    try {
      const graphics = await this.create(file, "webgpu", trial);
      const [slow, fast] = [await measure(reference, trial), await measure(graphics, trial)];
      const isBetter = fast.ms < slow.ms && agree(slow.values, fast.values);
      await (isBetter ? reference : graphics).release();
      return isBetter ? graphics : reference;
    } catch {
      return reference; // no driver, or one that fails
    }
  }

  private async create(file: Uint8Array, backend: Backend, trial: Trial): Promise<OrtNetwork> {
    const session = await this.ort.InferenceSession.create(file, {
      executionProviders: [backend],
      graphOptimizationLevel: "all",
    });
    const network = new OrtNetwork(this.ort, session, backend);
    await network.run(trial.input, trial.outputs); // the first run prepares what others need
    return network;
  }
}

async function measure(
  network: Network,
  trial: Trial,
): Promise<{ ms: number; values: Record<string, Float32Array> }> {
  let best = Number.POSITIVE_INFINITY;
  let values: Record<string, Float32Array> = {};
  for (let i = 0; i < TRIAL_RUNS; i++) {
    const began = performance.now();
    values = await network.run(trial.input, trial.outputs);
    best = Math.min(best, performance.now() - began);
  }
  return { ms: best, values };
}

function agree(a: Record<string, Float32Array>, b: Record<string, Float32Array>): boolean {
  return Object.entries(a).every(([name, values]) => {
    const others = b[name] as Float32Array;
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
    return values.every((value, i) => Math.abs(value - (others[i] as number)) <= AGREEMENT * scale);
  });
}

/** Threads need memory that is shared, which browsers give to isolated pages only; one core is left to the page. */
function countThreads(): number {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.min(4, Math.max(1, (navigator.hardwareConcurrency ?? 1) - 1));
}

async function hasGraphics(): Promise<boolean> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  if (gpu === undefined || !("Suspending" in WebAssembly)) return false;
  try {
    return (await gpu.requestAdapter()) !== null;
  } catch {
    return false;
  }
}

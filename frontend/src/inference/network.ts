/** A network, whatever runs it. */

export interface Tensor {
  data: Float32Array;
  dims: readonly number[];
}

export interface Network {
  /** Run it on its one input; the named outputs. */
  run(input: Tensor, outputs: readonly string[]): Promise<Record<string, Float32Array>>;
  release(): Promise<void>;
}

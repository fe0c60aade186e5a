/** A network, whatever runs it. */

export interface Tensor {
  /** float32, or uint8 where the network takes levels as they are. */
  data: Float32Array | Uint8Array;
  dims: readonly number[];
}

export interface Network {
  /** Run it on its one input; the named outputs. */
  run(input: Tensor, outputs: readonly string[]): Promise<Record<string, Float32Array>>;
  release(): Promise<void>;
}

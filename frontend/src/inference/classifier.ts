/** The expression network and what its answers mean: the same as `fervid.classification`. */

import { EMOTIONS } from "../generated/vocabulary";
import { cropResize } from "./crop";
import type { Network } from "./network";
import { type Picture, type Square, shrinkBox } from "./picture";
import type { ModelSpec } from "./specs";

const OUTPUTS = ["emotion_logits", "vote_logits"] as const;
const TINY = 1e-12;

export interface Prediction {
  /** In the order of the spec's labels: both heads blended. */
  probabilities: number[];
  /** In the order of the spec's vote labels. */
  votes: number[];
}

export class Classifier {
  readonly spec: ModelSpec;
  private readonly network: Network;

  constructor(network: Network, spec: ModelSpec) {
    this.network = network;
    this.spec = spec;
  }

  /** Read every face of a picture, one square each, in one run of the network. */
  async predict(picture: Picture, squares: readonly Square[]): Promise<Prediction[]> {
    if (squares.length === 0) return [];
    const { size } = this.spec;
    const inputs = new Float32Array(squares.length * size * size);
    squares.forEach((square, i) => {
      inputs.set(this.preprocess(picture, square), i * size * size);
    });
    return this.predictInputs(inputs, squares.length);
  }

  /** `size` × `size` values as the network wants them. */
  preprocess(picture: Picture, square: Square): Float32Array {
    const { crop, size, mean, std } = this.spec;
    const input = cropResize(picture, shrinkBox(square.box, crop), size, square.angleDeg);
    const centre = Math.fround(mean);
    const scale = Math.fround(std);
    for (let i = 0; i < input.length; i++) input[i] = Math.fround((input[i] as number) - centre) / scale;
    return input;
  }

  async predictInputs(inputs: Float32Array, count: number): Promise<Prediction[]> {
    const { size, labels, vote_labels } = this.spec;
    const outputs = await this.network.run({ data: inputs, dims: [count, 1, size, size] }, OUTPUTS);
    const [emotions, votes] = OUTPUTS.map((name) => outputs[name] as Float32Array) as [
      Float32Array,
      Float32Array,
    ];
    return Array.from({ length: count }, (_, i) =>
      this.conclude(
        emotions.subarray(i * labels.length, (i + 1) * labels.length),
        votes.subarray(i * vote_labels.length, (i + 1) * vote_labels.length),
      ),
    );
  }

  private conclude(emotionLogits: Float32Array, voteLogits: Float32Array): Prediction {
    const { temperature, votes_temperature, blend, labels } = this.spec;
    const byLabels = softmax(emotionLogits, temperature);
    const votes = softmax(voteLogits, votes_temperature);
    const byVotes = restrictVotes(votes, labels.length);
    const probabilities = byLabels.map((value, i) => (1 - blend) * value + blend * (byVotes[i] as number));
    return { probabilities, votes };
  }
}

export function softmax(logits: ArrayLike<number>, temperature: number): number[] {
  const scaled = Array.from(logits, (value) => value / temperature);
  const highest = Math.max(...scaled);
  const exponentials = scaled.map((value) => Math.exp(value - highest));
  const total = sum(exponentials);
  return exponentials.map((value) => value / total);
}

const ANGRY = EMOTIONS.indexOf("angry");
const DISGUST = EMOTIONS.indexOf("disgust");

/** Shares of votes over seven or six labels: no contempt, and for six labels disgust counts as anger. */
export function restrictVotes(votes: readonly number[], labels: number): number[] {
  let shares = votes.slice(0, EMOTIONS.length).map((value) => value + TINY);
  if (labels < EMOTIONS.length) shares = foldDisgust(shares);
  const total = sum(shares);
  return shares.map((value) => value / total);
}

/** Seven values in FER2013's order become six: disgust counts as anger. */
export function foldDisgust<T extends number>(values: readonly T[]): number[] {
  const folded: number[] = values.filter((_, i) => i !== DISGUST);
  folded[ANGRY] = (values[ANGRY] as number) + (values[DISGUST] as number);
  return folded;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

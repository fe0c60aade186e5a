/** From what the browser read in a bucket to the few steps that leave it. */

import { EMOTIONS, type Emotion } from "../../generated/vocabulary";

export type Counts = Partial<Record<Emotion, number>>;

/**
 * Samples of a bucket as `steps` equal parts, by the largest remainder; null is no face or uncertain.
 *
 * What is left of the steps is without an answer, so that counts sum to `steps` at most. On a tie no answer comes first,
 * then the vocabulary's order: an expression is never made out of a half.
 */
export function coarsen(samples: readonly (Emotion | null)[], steps: number): Counts {
  if (samples.length === 0) return {};
  const exact = ([null, ...EMOTIONS] as const).map((label) => {
    // In whole numbers: thirds of steps, as fractions, differ in their last bits, and no tie would be one.
    const parts = samples.filter((sample) => sample === label).length * steps;
    return { label, whole: Math.floor(parts / samples.length), rest: parts % samples.length };
  });
  let left = steps - exact.reduce((sum, { whole }) => sum + whole, 0);
  for (const part of [...exact].sort((a, b) => b.rest - a.rest)) {
    if (left <= 0) break;
    part.whole += 1;
    left -= 1;
  }
  const counts: Counts = {};
  for (const { label, whole } of exact) if (label !== null && whole > 0) counts[label] = whole;
  return counts;
}

/** Counts in words: `happy 3 of 5, neutral 1 of 5, nothing in 1 of 5`. */
export function describeCounts(counts: Counts, steps: number): string {
  const parts = EMOTIONS.flatMap((emotion) => {
    const count = counts[emotion];
    return count ? [`${emotion} ${count} of ${steps}`] : [];
  });
  const rest = steps - Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (rest > 0) parts.push(`nothing in ${rest} of ${steps}`);
  return parts.join(", ");
}

/** How many samples of the past a page keeps: those of one bucket, at two a second. */
const MOST = 20;

/** What was read since the last bucket. */
export class Sampler {
  private samples: (Emotion | null)[] = [];

  add(sample: Emotion | null): void {
    this.samples.push(sample);
    if (this.samples.length > MOST) this.samples.shift();
  }

  get size(): number {
    return this.samples.length;
  }

  measure(steps: number): Counts {
    return coarsen(this.samples, steps);
  }

  /** The counts so far, and begin anew. */
  take(steps: number): Counts {
    const counts = this.measure(steps);
    this.samples = [];
    return counts;
  }
}

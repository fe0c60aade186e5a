/** Which of many boxes stay: the same as `fervid.geometry`. */

import { areaOf, type Box } from "./picture";

function overlapOf(a: Box, b: Box): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  return Math.max(width, 0) * Math.max(height, 0);
}

/** Intersection over union. */
export function measureOverlap(a: Box, b: Box): number {
  const shared = overlapOf(a, b);
  const union = areaOf(a) + areaOf(b) - shared;
  return union > 0 ? shared / union : 0;
}

/**
 * Greedy non-maximum suppression: what stays, best first.
 *
 * A box goes when its overlap with a better one is above `threshold`, or when more than `containment` of the smaller of
 * the two lies in the other.
 */
export function suppressOverlaps<T extends { box: Box; score: number }>(
  found: readonly T[],
  threshold: number,
  containment = 1,
): T[] {
  const kept: T[] = [];
  for (const candidate of [...found].sort((a, b) => b.score - a.score)) {
    const beaten = kept.some(
      (better) =>
        measureOverlap(better.box, candidate.box) > threshold ||
        (containment < 1 && measureContainment(better.box, candidate.box) > containment),
    );
    if (!beaten) kept.push(candidate);
  }
  return kept;
}

function measureContainment(a: Box, b: Box): number {
  const smaller = Math.min(areaOf(a), areaOf(b));
  return smaller > 0 ? overlapOf(a, b) / smaller : 0;
}

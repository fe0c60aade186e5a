/** Where a camera shows another scene, read from thumbnails: the same as `fervid.tracking.cuts`, which explains it. */

import type { Picture } from "./picture";

const COLUMNS = 16;
const ROWS = 9;
/** Most cells change by more than this at a cut, grey levels. */
const CHANGE = 12;
/** Pictures of one scene correlate at least this well. */
const LIKENESS = 0.6;
/** Cells below this in both pictures are a black border and say nothing, grey levels. */
const BLACK = 4;
/** A picture of less is too flat to be like another, grey levels. */
const CONTRAST = 4;
/** Pixels that are looked at in a cell, along each of its sides. */
const SAMPLES = 8;

/** Looks at one picture after another. */
export class CutDetector {
  private last: { thumbnail: number[]; width: number; height: number } | null = null;

  /** Whether a picture begins another scene than the last one; one of another size always does, the first never. */
  detect(picture: Picture): boolean {
    const { last } = this;
    const { width, height } = picture;
    const thumbnail = makeThumbnail(picture);
    this.last = { thumbnail, width, height };
    if (last === null) return false;
    return last.width !== width || last.height !== height || isCut(last.thumbnail, thumbnail);
  }
}

/** Row by row, the means of the green channel of pixels spread over each cell. */
export function makeThumbnail({ width, height, channels, data }: Picture): number[] {
  const sums = Array<number>(ROWS * COLUMNS).fill(0);
  const green = channels === 1 ? 0 : 1;
  for (let row = 0; row < ROWS * SAMPLES; row++) {
    const y = Math.floor((row * height) / (ROWS * SAMPLES));
    const cells = Math.floor(row / SAMPLES) * COLUMNS;
    for (let column = 0; column < COLUMNS * SAMPLES; column++) {
      const x = Math.floor((column * width) / (COLUMNS * SAMPLES));
      const cell = cells + Math.floor(column / SAMPLES);
      sums[cell] = (sums[cell] as number) + (data[(y * width + x) * channels + green] as number);
    }
  }
  return sums.map((sum) => sum / SAMPLES ** 2);
}

function isCut(last: readonly number[], thumbnail: readonly number[]): boolean {
  const changes = thumbnail.map((value, i) => Math.abs(value - (last[i] as number))).sort((a, b) => a - b);
  const half = changes.length / 2;
  const median = ((changes[half - 1] as number) + (changes[half] as number)) / 2;
  return median > CHANGE && measureLikeness(last, thumbnail) < LIKENESS;
}

/** Highest correlation of two thumbnails that may be moved against each other by a cell. */
export function measureLikeness(thumbnail: readonly number[], other: readonly number[]): number {
  let best = -1;
  for (const down of [-1, 0, 1]) {
    for (const right of [-1, 0, 1]) {
      const size = (ROWS - Math.abs(down)) * (COLUMNS - Math.abs(right));
      const pairs = pairCells(thumbnail, other, down, right).filter(([a, b]) => a > BLACK || b > BLACK);
      if (pairs.length >= size / 4) best = Math.max(best, correlate(pairs));
    }
  }
  return best;
}

/** The cells that lie on each other when `other` is moved. */
function pairCells(
  thumbnail: readonly number[],
  other: readonly number[],
  down: number,
  right: number,
): [number, number][] {
  const pairs: [number, number][] = [];
  for (let y = Math.max(0, down); y < ROWS + Math.min(0, down); y++) {
    for (let x = Math.max(0, right); x < COLUMNS + Math.min(0, right); x++) {
      const at = y * COLUMNS + x;
      pairs.push([thumbnail[at] as number, other[at - down * COLUMNS - right] as number]);
    }
  }
  return pairs;
}

function correlate(pairs: readonly [number, number][]): number {
  const average = (measure: (a: number, b: number) => number) =>
    pairs.reduce((sum, [a, b]) => sum + measure(a, b), 0) / pairs.length;
  const meanA = average((a) => a);
  const meanB = average((_, b) => b);
  const spread = Math.sqrt(average((a) => (a - meanA) ** 2) * average((_, b) => (b - meanB) ** 2));
  return average((a, b) => (a - meanA) * (b - meanB)) / Math.max(spread, CONTRAST ** 2);
}

/** What the host's chart and its words are made of. */

import type { Option, Row, Shares } from "../../api/rooms";

/** Rows that stand side by side, as one; a gap when nothing of them may be shown. */
export interface Bin {
  start_s: number;
  end_s: number;
  /** Mean over the rows that are shown. */
  contributors: number;
  shares: Shares | null;
}

const MOST_BINS = 180;

/** The rows of a time in at most `most` bins of the same duration; buckets without a row are no bins. */
export function collectBins(
  rows: readonly Row[],
  [from, to]: readonly [number, number],
  bucketS: number,
  most = MOST_BINS,
): Bin[] {
  const inside = rows.filter((row) => row.end_s > from && row.start_s < to);
  // Groups start at multiples of their size, so that a bin keeps its rows while the time goes on.
  const size = Math.max(1, Math.ceil((to - from) / bucketS / most));
  const groups = new Map<number, Row[]>();
  for (const row of inside) {
    const group = Math.floor(row.bucket / size);
    const others = groups.get(group);
    if (others) others.push(row);
    else groups.set(group, [row]);
  }
  return [...groups.values()].map(average);
}

function average(rows: Row[]): Bin {
  const times = {
    start_s: Math.min(...rows.map((row) => row.start_s)),
    end_s: Math.max(...rows.map((row) => row.end_s)),
  };
  const shown = rows.filter((row) => row.shares !== null);
  if (shown.length === 0) return { ...times, contributors: 0, shares: null };
  const total = shown.reduce((sum, row) => sum + row.contributors, 0);
  const shares: Shares = {};
  for (const option of Object.keys(shown[0]?.shares ?? {}) as Option[]) {
    shares[option] =
      shown.reduce((sum, row) => sum + (row.shares?.[option] ?? 0) * row.contributors, 0) / total;
  }
  return { ...times, contributors: total / shown.length, shares };
}

/** One layer of a bin: from where to where it reaches, 0–1. */
export interface Layer {
  option: Option;
  low: number;
  high: number;
}

/** The layers of a bin from the bottom to the top, in the order of the room's options. */
export function stackShares(shares: Shares, options: readonly Option[]): Layer[] {
  let sum = 0;
  return options.map((option) => {
    const low = sum;
    sum = Math.min(1, sum + (shares[option] ?? 0));
    return { option, low, high: sum };
  });
}

/** How much of the session is shown, s; 0 for all of it. */
export type Span = 300 | 1800 | 0;

/** The least that a chart shows, s. */
const LEAST_S = 60;

/** The time that is shown: it ends now, and begins no earlier than the first row. */
export function findWindow(
  rows: readonly Row[],
  nowS: number,
  span: Span,
  bucketS: number,
): [number, number] {
  const first = rows[0]?.start_s ?? 0;
  const to = Math.max(Math.floor(nowS / bucketS) * bucketS, rows.at(-1)?.end_s ?? 0);
  const from = span === 0 ? first : Math.max(first, to - span);
  return [from, Math.max(to, from + LEAST_S)];
}

/** What the latest row means for whoever looks at it. */
export type State =
  /** Nobody is here, or nobody has been for some time. */
  | { kind: "empty"; before: boolean }
  /** Too few for a sum. */
  | { kind: "few"; count: number; needed: number }
  /** Enough for a sum, of whom nobody answers: all have paused. */
  | { kind: "silent"; count: number }
  /** Somebody left or fell silent, and the others are held until then (null: not known). */
  | { kind: "change"; returnsS: number | null }
  | { kind: "shown"; row: Row; withheld: number };

/** Whoever comes has answered after so many buckets: their page does, also before they choose. */
const FIRST_BUCKETS = 2;

/**
 * @param present how many are here, and since when anybody is, s since the room was made.
 * @param nowS since the room was made, s.
 */
export function findState(
  rows: readonly Row[],
  present: { count: number; sinceS: number },
  nowS: number,
  room: { bucket_s: number; min_group: number },
): State {
  const row = rows.at(-1);
  const isCurrent = row !== undefined && row.end_s > nowS - 2.5 * room.bucket_s;
  if (!isCurrent) {
    if (present.count === 0) return { kind: "empty", before: rows.length > 0 };
    const areEnough = present.count >= room.min_group;
    if (areEnough && nowS - present.sinceS > FIRST_BUCKETS * room.bucket_s) {
      return { kind: "silent", count: present.count };
    }
    return { kind: "few", count: present.count, needed: room.min_group };
  }
  if (row.shares !== null) return { kind: "shown", row, withheld: row.withheld };
  if (row.why === "change") return { kind: "change", returnsS: row.returns_s };
  return { kind: "few", count: row.withheld, needed: room.min_group };
}

/** Rows with one more, in the order of time; one that is there already is replaced. */
export function addRow(rows: readonly Row[], row: Row): Row[] {
  const others = rows.filter((other) => other.bucket !== row.bucket);
  const place = others.findIndex((other) => other.bucket > row.bucket);
  return place < 0 ? [...others, row] : [...others.slice(0, place), row, ...others.slice(place)];
}

/** The option with the largest share that is an answer; null when nobody gave one. */
export function findLargest(shares: Shares, options: readonly Option[]): Option | null {
  let best: Option | null = null;
  for (const option of options) {
    if (option === "none" || !(shares[option] ?? 0)) continue;
    if (best === null || (shares[option] ?? 0) > (shares[best] ?? 0)) best = option;
  }
  return best;
}

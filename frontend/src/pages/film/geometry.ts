/** Where things of a film's time stand on the screen. */

import type { TimelineBin, TimelineTrack } from "../../api/types";
import { type Emotion, STACKING } from "../../generated/vocabulary";
import { formatClock } from "../../ui/format";

/** A stretch of time, s. */
export interface View {
  start: number;
  stop: number;
}

/** s between two ticks. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
/** px that a tick's label takes with its surroundings. */
const TICK_ROOM = 74;
/** How near one can look, s. */
export const CLOSEST_S = 2;

export function timeToX(time: number, view: View, width: number): number {
  return ((time - view.start) / (view.stop - view.start)) * width;
}

export function xToTime(x: number, view: View, width: number): number {
  return view.start + (x / Math.max(1, width)) * (view.stop - view.start);
}

/** The stretch of that length around `start` that lies within `whole`. */
export function fitView(start: number, length: number, whole: View): View {
  const longest = whole.stop - whole.start;
  const span = Math.min(longest, Math.max(Math.min(CLOSEST_S, longest), length));
  const first = Math.min(Math.max(whole.start, start), whole.stop - span);
  return { start: first, stop: first + span };
}

/** Nearer (`factor` below 1) or farther, with the time `at` where it is. */
export function zoomView(view: View, factor: number, at: number, whole: View): View {
  const share = (at - view.start) / (view.stop - view.start);
  const length = Math.min(
    whole.stop - whole.start,
    Math.max(Math.min(CLOSEST_S, whole.stop - whole.start), (view.stop - view.start) * factor),
  );
  return fitView(at - share * length, length, whole);
}

/** A view that shows `time`: the same while it does, else one that begins a little before it. */
export function followView(view: View, time: number, whole: View): View {
  if (time >= view.start && time <= view.stop) return view;
  const length = view.stop - view.start;
  return fitView(time - 0.1 * length, length, whole);
}

export interface Tick {
  x: number;
  label: string;
}

/** Round times with room for their labels. */
export function listTicks(view: View, width: number): Tick[] {
  const span = view.stop - view.start;
  if (width <= 0 || span <= 0) return [];
  const step = STEPS.find((candidate) => (candidate / span) * width >= TICK_ROOM) ?? (STEPS.at(-1) as number);
  const ticks: Tick[] = [];
  for (let count = Math.ceil(view.start / step - 1e-9); count * step <= view.stop + 1e-9; count++) {
    const time = count * step;
    ticks.push({ x: timeToX(time, view, width), label: formatClock(time, step < 1 ? 1 : 0) });
  }
  return ticks;
}

/** The bin of a person at a time; null when the person is not seen. */
export function findBin(track: TimelineTrack, time: number): TimelineBin | null {
  let low = 0;
  let high = track.bins.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const bin = track.bins[middle] as TimelineBin;
    if (time < bin.start_s) high = middle - 1;
    else if (time >= bin.end_s) low = middle + 1;
    else return bin;
  }
  return null;
}

export type Reading = Emotion | "uncertain";

/** What most of a bin's seen time shows. */
export function readBin(bin: TimelineBin): Reading {
  let best: Reading = "uncertain";
  let most = bin.uncertain;
  for (const label of STACKING) {
    const share = bin.shares[label] ?? 0;
    if (share > most) [best, most] = [label, share];
  }
  return best;
}

/** A rectangle of a lane: px across, shares of the height from the top. */
export interface Piece {
  reading: Reading;
  x: number;
  width: number;
  top: number;
  bottom: number;
}

/**
 * A person's bins as stacked rectangles; the height of a bin that was seen in part is that part.
 *
 * Rectangles that go on in the next bin are one, so that no seam is drawn between them.
 */
export function layOutLane(track: TimelineTrack, view: View, width: number): Piece[] {
  const pieces: Piece[] = [];
  let growing: Piece[] = [];
  for (const bin of track.bins) {
    if (bin.end_s <= view.start || bin.start_s >= view.stop) continue;
    const x = Math.max(0, timeToX(bin.start_s, view, width));
    const end = Math.min(width, timeToX(bin.end_s, view, width));
    const column = stackBin(bin).map(([reading, top, bottom]): Piece => {
      const before = growing.find(
        (piece) =>
          piece.reading === reading &&
          Math.abs(piece.top - top) < 1e-3 &&
          Math.abs(piece.bottom - bottom) < 1e-3 &&
          Math.abs(piece.x + piece.width - x) < 0.05,
      );
      if (before) {
        before.width = end - before.x;
        return before;
      }
      const piece: Piece = { reading, x, width: end - x, top, bottom };
      pieces.push(piece);
      return piece;
    });
    growing = column;
  }
  return pieces;
}

/** What a bin shows, from the bottom up. */
function stackBin(bin: TimelineBin): [Reading, top: number, bottom: number][] {
  const stack: [Reading, number, number][] = [];
  let bottom = 1;
  for (const reading of [...STACKING, "uncertain"] as const) {
    const share = reading === "uncertain" ? bin.uncertain : (bin.shares[reading] ?? 0);
    if (share <= 0) continue;
    const top = Math.max(0, bottom - share);
    stack.push([reading, top, bottom]);
    bottom = top;
  }
  return stack;
}

/** Where a key takes the playhead; null for keys that do not move it. */
export function moveByKey(key: string, time: number, whole: View): number | null {
  const steps: Record<string, number> = {
    ArrowLeft: -1,
    ArrowDown: -1,
    ArrowRight: 1,
    ArrowUp: 1,
    PageDown: -10,
    PageUp: 10,
    Home: Number.NEGATIVE_INFINITY,
    End: Number.POSITIVE_INFINITY,
  };
  const step = steps[key];
  if (step === undefined) return null;
  return Math.min(whole.stop, Math.max(whole.start, time + step));
}

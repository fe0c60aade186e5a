/**
 * Who is who from frame to frame, by motion alone: no appearance, nothing that could recognise a person.
 *
 * Sure detections find their tracks first, unsure ones may extend what is left but never begin a track (ByteTrack,
 * arXiv:2110.06864). The same as `fervid.tracking.tracker`. All limits are in seconds.
 */

import { assign } from "./assignment";
import type { Detection } from "./decoding";
import { Motion } from "./motion";
import { type Box, centreOf } from "./picture";

/** Squared Mahalanobis distances beyond which a sure and an unsure detection are another face. */
const GATE = 25;
const UNSURE_GATE = 13.3;
/** No face jumps farther than this many of its sizes between two sightings. */
const REACH = 2.5;
/** A confirmed track ends when it has not been seen for so long. */
export const LOST_S = 2;

export class Track {
  /** 1, 2, 3 … in the order of confirmation; null before it. */
  id: number | null = null;
  hits = 1;
  misses = 0;
  firstS: number;
  lastS: number;
  motion: Motion;

  constructor(box: Box, timeS: number) {
    this.firstS = this.lastS = timeS;
    this.motion = new Motion(box);
  }
}

export interface TrackerSettings {
  /** Detections below this extend tracks but begin none. */
  sureScore: number;
  /** A track gets its id when it has been seen twice over this time. */
  confirmS?: number;
  /** A confirmed track ends when it has not been seen for this long, and for two frames at least. */
  lostS?: number;
}

export class Tracker {
  private readonly settings: Required<TrackerSettings>;
  private tracks: Track[] = [];
  private timeS = Number.NEGATIVE_INFINITY;
  private lastId = 0;

  constructor(settings: TrackerSettings) {
    this.settings = { confirmS: 0.1, lostS: LOST_S, ...settings };
  }

  /**
   * Find the track of every face of a frame.
   *
   * @param size width and height of the frame, px; a face expected beyond its border has left.
   * @returns a track per detection, none twice; null for an unsure detection without a track.
   */
  update(detections: readonly Detection[], timeS: number, size: readonly [number, number]): (Track | null)[] {
    if (!(timeS >= this.timeS)) throw new RangeError(`a frame at ${timeS} s after ${this.timeS} s`);
    this.timeS = timeS;
    const order = detections.map((_, i) => i).sort((a, b) => compareDetections(detections, a, b));
    const isSure = (i: number) => (detections[i] as Detection).score >= this.settings.sureScore;
    const sure = order.filter(isSure);
    const unsure = order.filter((i) => !isSure(i));
    const found: (Track | null)[] = detections.map(() => null);
    const waiting = new Map(this.tracks.map((track) => [track, track.motion.predict(timeS - track.lastS)]));

    const pair = (tracks: Track[], indices: number[], gate: number): void => {
      const motions = tracks.map((track) => waiting.get(track) as Motion);
      const boxes = indices.map((i) => (detections[i] as Detection).box);
      for (const [row, column] of match(motions, boxes, gate)) {
        const track = tracks[row] as Track;
        const motion = motions[row] as Motion;
        motion.correct(boxes[column] as Box);
        Object.assign(track, { motion, lastS: timeS, hits: track.hits + 1, misses: 0 });
        waiting.delete(track);
        found[indices[column] as number] = track;
      }
    };
    const left = (confirmed: boolean) =>
      [...waiting.keys()].filter((track) => (track.id !== null) === confirmed);
    pair(left(true), sure, GATE);
    pair(left(true), unsure, UNSURE_GATE);
    pair(
      left(false),
      sure.filter((i) => found[i] === null),
      GATE,
    );

    for (const [track, expected] of waiting) {
      track.misses += 1;
      if (this.hasEnded(track, expected.box, size))
        this.tracks = this.tracks.filter((other) => other !== track);
    }
    for (const i of sure.filter((index) => found[index] === null)) {
      const track = new Track((detections[i] as Detection).box, timeS);
      found[i] = track;
      this.tracks.push(track);
    }
    this.confirm(timeS);
    return found;
  }

  /** End every track: another scene begins. Ids are not given again. */
  end(): void {
    this.tracks = [];
  }

  private hasEnded(track: Track, expected: Box, [width, height]: readonly [number, number]): boolean {
    const { x, y } = centreOf(expected);
    if (!(x >= 0 && x < width && y >= 0 && y < height)) return true;
    const limit = track.id === null ? this.settings.confirmS : this.settings.lostS;
    return track.misses >= 2 && this.timeS - track.lastS > limit;
  }

  private confirm(timeS: number): void {
    const ripe = this.tracks.filter(
      ({ id, misses, hits, firstS }) =>
        id === null && misses === 0 && hits >= 2 && timeS - firstS >= this.settings.confirmS,
    );
    ripe.sort(
      (a, b) => a.firstS - b.firstS || a.motion.box.x1 - b.motion.box.x1 || a.motion.box.y1 - b.motion.box.y1,
    );
    for (const track of ripe) track.id = ++this.lastId;
  }
}

/** Best first, ties by place: the answer must not depend on the order of the detections. */
function compareDetections(detections: readonly Detection[], first: number, second: number): number {
  const a = detections[first] as Detection;
  const b = detections[second] as Detection;
  return (
    b.score - a.score ||
    a.box.x1 - b.box.x1 ||
    a.box.y1 - b.box.y1 ||
    a.box.x2 - b.box.x2 ||
    a.box.y2 - b.box.y2
  );
}

/** Pairs of a prediction and a detection; a vague prediction yields to a sharp one. */
function match(motions: readonly Motion[], boxes: readonly Box[], gate: number): [number, number][] {
  if (motions.length === 0 || boxes.length === 0) return [];
  const vagueness = motions.map((motion) => motion.vagueness);
  const costs = motions.map((motion, row) => {
    const expected = centreOf(motion.box);
    return boxes.map((box) => {
      const seen = centreOf(box);
      const distance = motion.distanceTo(box);
      const jump = Math.hypot(seen.x - expected.x, seen.y - expected.y) / motion.size;
      return distance <= gate && jump <= REACH
        ? distance + (vagueness[row] as number)
        : Number.POSITIVE_INFINITY;
    });
  });
  return assign(costs, gate + Math.max(...vagueness));
}

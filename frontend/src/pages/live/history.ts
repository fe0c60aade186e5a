/** What was read in the last minute, per person and of everybody, and the whole session when it is recorded. */

import type { Frame, Probabilities } from "../../api/types";
import { EMOTIONS, type Emotion } from "../../generated/vocabulary";
import { writeCsv } from "../../ui/csv";
import { basisOf } from "../../ui/expression";

export const WINDOW_S = 60;
const BIN_S = 1;
/** Rows of a recording that a page keeps: half an hour of four people at thirty readings a second. */
const MOST_ROWS = 200_000;
const HEADER = writeCsv([]);

interface Sample {
  timeS: number;
  track: number;
  shares: Probabilities;
}

/** Mean shares per second: a row per expression in the vocabulary's order, null where nobody was seen. */
export interface Course {
  /** Seconds before now, rising to 0. */
  times: number[];
  shares: Record<Emotion, (number | null)[]>;
}

export class History {
  private samples: Sample[] = [];
  private latestS = 0;

  add(frame: Frame): void {
    this.latestS = frame.time_s;
    for (const face of frame.faces) {
      if (face.track !== null) {
        this.samples.push({ timeS: frame.time_s, track: face.track, shares: basisOf(face) });
      }
    }
    const oldest = frame.time_s - WINDOW_S - BIN_S;
    let gone = 0;
    while (gone < this.samples.length && (this.samples[gone] as Sample).timeS < oldest) gone++;
    if (gone > 0) this.samples.splice(0, gone);
  }

  clear(): void {
    this.samples = [];
    this.latestS = 0;
  }

  /** Whether a person was seen in the last minute. */
  knows(track: number): boolean {
    return this.samples.some((sample) => sample.track === track);
  }

  /** The last minute of a person, or of everybody (null); everybody counts the same in every second. */
  measure(track: number | null): Course {
    const bins = WINDOW_S / BIN_S;
    const last = Math.floor(this.latestS / BIN_S);
    const people = Array.from({ length: bins }, () => new Map<number, { count: number; sums: number[] }>());
    for (const sample of this.samples) {
      const bin = people[bins - 1 - (last - Math.floor(sample.timeS / BIN_S))];
      if (bin === undefined || (track !== null && sample.track !== track)) continue;
      const person = bin.get(sample.track) ?? { count: 0, sums: EMOTIONS.map(() => 0) };
      person.count += 1;
      EMOTIONS.forEach((emotion, i) => {
        person.sums[i] = (person.sums[i] as number) + (sample.shares[emotion] ?? 0);
      });
      bin.set(sample.track, person);
    }
    const shares = Object.fromEntries(
      EMOTIONS.map((emotion, i) => [
        emotion,
        people.map((bin) => {
          const means = [...bin.values()].map(({ count, sums }) => (sums[i] as number) / count);
          return means.length === 0 ? null : means.reduce((a, b) => a + b, 0) / means.length;
        }),
      ]),
    ) as Record<Emotion, (number | null)[]>;
    return { times: Array.from({ length: bins }, (_, i) => (i - bins + 1) * BIN_S), shares };
  }
}

/** The rows of a session, kept in this page alone until somebody saves them: as text, which takes the least memory. */
export class Recording {
  rows = 0;
  private readonly parts: string[] = [];
  private readonly mostRows: number;
  private startS: number | null = null;

  constructor(mostRows = MOST_ROWS) {
    this.mostRows = mostRows;
  }

  /** Whether there was room for it. */
  add(frame: Frame): boolean {
    if (this.rows + frame.faces.length > this.mostRows) return false;
    this.startS ??= frame.time_s; // also when nobody is there
    if (frame.faces.length > 0) {
      this.parts.push(writeCsv([roundFrame(frame, this.startS)]).slice(HEADER.length));
    }
    this.rows += frame.faces.length;
    return true;
  }

  /** The CSV, whose times begin with the recording. */
  write(): string {
    return HEADER + this.parts.join("");
  }
}

function roundFrame(frame: Frame, startS: number): Frame {
  const round = (value: number, digits: number) => Number(value.toFixed(digits));
  return {
    ...frame,
    source: "camera",
    time_s: round(frame.time_s - startS, 3),
    faces: frame.faces.map((face) => ({
      ...face,
      box: face.box.map((value) => round(value, 2)) as typeof face.box,
      score: round(face.score, 6),
      confidence: round(face.confidence, 6),
      probabilities: Object.fromEntries(
        Object.entries(face.probabilities).map(([label, share]) => [label, round(share, 6)]),
      ),
    })),
  };
}

/** Mean shares of a course, over the seconds in which anybody was seen; null when nobody was. */
export function averageCourse(course: Course): Probabilities | null {
  const seen = course.shares.neutral.filter((value) => value !== null).length;
  if (seen === 0) return null;
  return Object.fromEntries(
    EMOTIONS.map((emotion) => [
      emotion,
      course.shares[emotion].reduce((sum: number, v) => sum + (v ?? 0), 0) / seen,
    ]),
  );
}

const RATE_S = 2;

/** Events per second, over the last two seconds, as `fervid.live.rate` measures them. */
export class Rate {
  private times: number[] = [];

  add(timeS: number): void {
    this.forget(timeS);
    this.times.push(timeS);
  }

  /** 0 before there are two; falls when there are no more. */
  measure(nowS: number): number {
    this.forget(nowS);
    const first = this.times[0];
    const last = this.times[this.times.length - 1];
    if (first === undefined || last === undefined || last <= first) return 0;
    return (this.times.length - 1) / (Math.max(nowS - 1 / 5, last) - first);
  }

  private forget(nowS: number): void {
    this.times = this.times.filter((timeS) => nowS - timeS <= RATE_S);
  }

  clear(): void {
    this.times = [];
  }
}

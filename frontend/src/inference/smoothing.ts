/**
 * One steady answer per person from many shaky ones: the same as `fervid.tracking.smoothing`, which explains it.
 *
 * A running mean in seconds; a second one with a shorter memory that watches for changes; and hysteresis, so that a
 * label gives way only to one that is clearly more probable, or more probable for long.
 */

export const SMOOTH_S = 0.5;
const MARGIN = 0.1;
const WATCH = 0.3;
const CHANGE = 0.25;
const PATIENCE = 2;
const FORGET_S = 60;

class Mean {
  value: readonly number[];
  readonly memoryS: number;
  private weight = Number.NaN;

  constructor(memoryS: number, sample: readonly number[]) {
    this.memoryS = memoryS;
    this.value = sample;
  }

  add(sample: readonly number[], seconds: number): void {
    const kept = Math.exp(-seconds / this.memoryS);
    if (Number.isNaN(this.weight)) this.weight = 1 - kept; // the first sample stood until the second
    const before = this.weight * kept;
    const now = 1 - kept;
    if (now > 0) {
      this.value = this.value.map(
        (value, i) => (before * value + now * (sample[i] as number)) / (before + now),
      );
    }
    this.weight = before + now;
  }

  restart(value: readonly number[], stoodS: number): void {
    this.value = value;
    this.weight = 1 - Math.exp(-stoodS / this.memoryS);
  }
}

class Person {
  readonly mean: Mean;
  timeS: number;
  private readonly watch: Mean;
  private label: number | null = null;
  private isLabelled = false;
  private rival: number | null = null;
  private rivalS: number | null = null;

  constructor(probabilities: readonly number[], timeS: number, smoothS: number) {
    this.mean = new Mean(smoothS, probabilities);
    this.watch = new Mean(smoothS * WATCH, probabilities);
    this.timeS = timeS;
  }

  add(probabilities: readonly number[], timeS: number): void {
    for (const mean of [this.mean, this.watch]) mean.add(probabilities, timeS - this.timeS);
    this.timeS = timeS;
    const distance = this.mean.value.reduce(
      (sum, value, i) => sum + Math.abs(value - (this.watch.value[i] as number)),
      0,
    );
    if (distance / 2 > CHANGE) this.mean.restart(this.watch.value, this.watch.memoryS);
  }

  /** The label, as an index; null is uncertain. */
  choose(threshold: number): number | null {
    const values = this.mean.value;
    const top = indexOfLargest(values);
    const highest = values[top] as number;
    const rival = highest >= threshold ? top : null;
    if (!this.isLabelled) {
      this.label = rival;
      this.isLabelled = true;
    }
    if (rival === this.label) {
      this.rivalS = null;
      return this.label;
    }
    if (this.rivalS === null || rival !== this.rival) {
      this.rival = rival;
      this.rivalS = this.timeS;
    }
    const lead =
      rival === null || this.label === null
        ? 2 * Math.abs(highest - threshold)
        : highest - (values[this.label] as number);
    if (lead > MARGIN || this.timeS - this.rivalS >= PATIENCE * this.mean.memoryS) {
      this.label = rival;
      this.rivalS = null;
    }
    return this.label;
  }
}

export interface Smoothed {
  values: readonly number[];
  /** Index of the label that has established itself; null is uncertain. */
  label: number | null;
}

export class Smoother {
  private readonly threshold: number;
  private readonly smoothS: number;
  private readonly people = new Map<number, Person>();

  constructor(threshold: number, smoothS = SMOOTH_S) {
    this.threshold = threshold;
    this.smoothS = smoothS;
  }

  /** Take the next answer for a track into account; to be called in the order of time. Needs `smoothS` above 0. */
  smooth(track: number, probabilities: readonly number[], timeS: number): Smoothed {
    for (const [id, known] of this.people) if (timeS - known.timeS > FORGET_S) this.people.delete(id);
    let person = this.people.get(track);
    if (person) person.add(probabilities, timeS);
    else {
      person = new Person(probabilities, timeS, this.smoothS);
      this.people.set(track, person);
    }
    return { values: person.mean.value, label: person.choose(this.threshold) };
  }
}

export function indexOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

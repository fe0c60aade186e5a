/**
 * How a face moves: a Kalman filter over its centre and size, in seconds. The same as `fervid.tracking.motion`.
 *
 * The rate of each coordinate is an Ornstein–Uhlenbeck process, so that one filter serves every frame rate. Both axes
 * share one covariance, and so do logarithms of width and height.
 */

import type { Box } from "./picture";

/** Of the centre (face sizes per second) and of log width and height: standard deviation of the rate. */
const RATE = [1.2, 0.4] as const;
const FIRST_RATE = [2.5, 0.4] as const;
/** Of what a detector says of a face that stands still. */
const NOISE = [0.05, 0.08] as const;
/** After this long a rate is forgotten (by the factor e), s. */
const MEMORY_S = 1;

/** x, y of the centre, log width, log height. */
type Four = [number, number, number, number];

/** Variance of the value, covariance of value and rate, variance of the rate. */
interface Covariance {
  value: number;
  both: number;
  rate: number;
}

/** x, y share the first covariance, log width and log height the second. */
function groupOf(coordinate: number): 0 | 1 {
  return coordinate < 2 ? 0 : 1;
}

export class Motion {
  private values: Four;
  private rates: Four = [0, 0, 0, 0];
  private covariances: [Covariance, Covariance];

  constructor(box: Box) {
    this.values = measure(box);
    this.covariances = [
      { value: NOISE[0] ** 2, both: 0, rate: FIRST_RATE[0] ** 2 },
      { value: NOISE[1] ** 2, both: 0, rate: FIRST_RATE[1] ** 2 },
    ];
  }

  /** Geometric mean of width and height, px. */
  get size(): number {
    return Math.exp((this.values[2] + this.values[3]) / 2);
  }

  /** The most likely box, px. */
  get box(): Box {
    const [x, y, logWidth, logHeight] = this.values;
    const halfWidth = Math.exp(logWidth) / 2;
    const halfHeight = Math.exp(logHeight) / 2;
    return { x1: x - halfWidth, y1: y - halfHeight, x2: x + halfWidth, y2: y + halfHeight };
  }

  /** How far from here the next detection may lie: sizes², squared logarithms. */
  get innovationVariances(): [number, number] {
    return [this.covariances[0].value + NOISE[0] ** 2, this.covariances[1].value + NOISE[1] ** 2];
  }

  /** The same face that much later. */
  predict(seconds: number): Motion {
    const steps = seconds / MEMORY_S;
    const kept = Math.exp(-steps);
    const path = MEMORY_S * (1 - kept);
    const later = new Motion(this.box);
    later.values = this.values.map((value, i) => value + path * (this.rates[i] as number)) as Four;
    later.rates = this.rates.map((rate) => kept * rate) as Four;
    later.covariances = this.covariances.map((old, group) => {
      const noise = (RATE[group] as number) ** 2;
      // doi:10.1103/PhysRev.36.823, eq. 10 and its mixed moments
      const spread = MEMORY_S ** 2 * Math.max(2 * steps - 3 + 4 * kept - kept ** 2, 0);
      return {
        value: old.value + 2 * path * old.both + path ** 2 * old.rate + noise * spread,
        both: kept * (old.both + path * old.rate) + noise * MEMORY_S * (1 - kept) ** 2,
        rate: kept ** 2 * old.rate + noise * (1 - kept ** 2),
      };
    }) as [Covariance, Covariance];
    return later;
  }

  /** Take a detection into account; how far the prediction was off, in face sizes. */
  correct(box: Box): number {
    const seen = measure(box);
    const offsets = seen.map((value, i) => value - (this.values[i] as number)) as Four;
    const error = Math.hypot(offsets[0], offsets[1]) / this.size;
    const variances = this.innovationVariances;
    const gains = this.covariances.map((old, group) => ({
      value: old.value / (variances[group] as number),
      rate: old.both / (variances[group] as number),
    })) as [Gain, Gain];
    for (let i = 0; i < 4; i++) {
      const gain = gains[groupOf(i)];
      this.values[i] = (this.values[i] as number) + gain.value * (offsets[i] as number);
      this.rates[i] = (this.rates[i] as number) + gain.rate * (offsets[i] as number);
    }
    this.covariances = this.covariances.map((old, group) => {
      const gain = gains[group] as Gain;
      return {
        value: old.value - gain.value * old.value,
        both: old.both - gain.value * old.both,
        rate: old.rate - gain.rate * old.both,
      };
    }) as [Covariance, Covariance];
    return error;
  }

  /** Squared Mahalanobis distance of a box from where the face is expected. */
  distanceTo(box: Box): number {
    const seen = measure(box);
    const variances = this.innovationVariances;
    return seen.reduce((total, value, i) => {
      const unit = i < 2 ? this.size : 1;
      return total + ((value - (this.values[i] as number)) / unit) ** 2 / variances[groupOf(i)];
    }, 0);
  }

  /** Logarithm of the determinant of what distances are divided by: the vaguer a prediction, the larger. */
  get vagueness(): number {
    const [centre, shape] = this.innovationVariances;
    return 2 * Math.log(centre) + 2 * Math.log(shape);
  }
}

interface Gain {
  value: number;
  rate: number;
}

/** An empty box counts as 1 px. */
function measure(box: Box): Four {
  return [
    (box.x1 + box.x2) / 2,
    (box.y1 + box.y2) / 2,
    Math.log(Math.max(box.x2 - box.x1, 1)),
    Math.log(Math.max(box.y2 - box.y1, 1)),
  ];
}

/** Picture by picture: who is there, who is who, and how each face reads. */

import type { Face, Frame, Probabilities, Votes } from "../api/types";
import { EMOTIONS_WITHOUT_DISGUST, type Emotion, SCHEMA, type VoteLabel } from "../generated/vocabulary";
import { type Classifier, foldDisgust, type Prediction } from "./classifier";
import { CutDetector } from "./cuts";
import type { Detection } from "./decoding";
import type { Detector } from "./detector";
import type { Picture, Square } from "./picture";
import { measureQuality } from "./quality";
import { indexOfLargest, SMOOTH_S, Smoother } from "./smoothing";
import { LOST_S, type Track, Tracker } from "./tracker";

/** Detections of this share of the detector's threshold may extend a track. */
const UNSURE = 0.6;
/** The smallest face that is looked for, as a share of the picture's shorter side, and px. */
const SMALLEST_SHARE = 1 / 12;
const SMALLEST_PX = 20;

export interface ReadingSettings {
  /** Six fold disgust into anger. */
  labels: 6 | 7;
  /** Memory of the smoothed answers, s; 0 leaves every picture's own. */
  smooth_s: number;
  /** Height of the smallest face looked for, px; null: a twelfth of the picture's shorter side. */
  min_face: number | null;
}

export const DEFAULT_SETTINGS: ReadingSettings = { labels: 7, smooth_s: SMOOTH_S, min_face: null };

/** Milliseconds of each step. */
export interface Timings {
  find: number;
  read: number;
}

/** When a picture was read last, and how long after the one before. */
interface Step {
  timeS: number;
  stepS: number;
}

interface Sighting {
  detection: Detection;
  track: Track | null;
}

export class Reading {
  private readonly detector: Detector;
  private readonly classifier: Classifier;
  private readonly identity: { model: string; detector: string };
  private readonly settings: ReadingSettings;
  private tracker!: Tracker;
  private smoother!: Smoother;
  private cuts!: CutDetector;
  private last: Step | null = null;
  private count = 0;

  constructor(
    detector: Detector,
    classifier: Classifier,
    identity: { model: string; detector: string },
    settings: ReadingSettings = DEFAULT_SETTINGS,
  ) {
    this.detector = detector;
    this.classifier = classifier;
    this.identity = identity;
    this.settings = settings;
    this.reset();
  }

  /** Forget everybody: another camera, another scene. */
  reset(): void {
    this.tracker = new Tracker({ sureScore: this.detector.spec.score_threshold });
    this.smoother = new Smoother(this.classifier.spec.threshold, this.settings.smooth_s);
    this.cuts = new CutDetector();
    this.last = null;
    this.count = 0;
  }

  /** Read one picture, taken later than the last one. */
  async read(picture: Picture, timeS: number): Promise<{ frame: Frame; timings: Timings }> {
    const began = performance.now();
    const { width, height } = picture;
    const sure = this.detector.spec.score_threshold;
    const minFace = this.settings.min_face ?? Math.max(SMALLEST_PX, Math.min(width, height) * SMALLEST_SHARE);
    const detections = await this.detector.detectReduced(picture, minFace, UNSURE * sure);
    if (this.beginsScene(picture, timeS)) this.tracker.end();
    const tracks = this.tracker.update(detections, timeS, [width, height]);
    const sightings: Sighting[] = detections
      .map((detection, i) => ({ detection, track: tracks[i] ?? null }))
      .filter(({ detection, track }) => track !== null || detection.score >= sure)
      .sort((a, b) => a.detection.box.x1 - b.detection.box.x1 || a.detection.box.y1 - b.detection.box.y1);
    const found = performance.now();
    const squares = sightings.map(({ detection }) => this.detector.frame(detection.box, detection.landmarks));
    const predictions = await this.classifier.predict(picture, squares);
    const faces = sightings.map((sighting, i) =>
      this.makeFace(picture, sighting, squares[i] as Square, predictions[i] as Prediction, timeS),
    );
    const frame: Frame = {
      schema: SCHEMA,
      source: null,
      size: [width, height],
      ...this.identity,
      faces,
      frame: this.count++,
      time_s: timeS,
    };
    return { frame, timings: { find: found - began, read: performance.now() - found } };
  }

  /** Whether nobody is where they were, in pixels, or somebody else may be there by now: the rule of Python's streams. */
  private beginsScene(picture: Picture, timeS: number): boolean {
    const { last } = this;
    const stepS = last === null ? Number.POSITIVE_INFINITY : timeS - last.timeS;
    this.last = { timeS, stepS };
    const isCut = this.cuts.detect(picture); // also after a pause: the next picture is compared with this one
    // Where pictures always come so seldom, there is no pause.
    return isCut || (last !== null && stepS > Math.max(LOST_S, 2 * last.stepS));
  }

  private makeFace(
    picture: Picture,
    { detection, track }: Sighting,
    square: Square,
    prediction: Prediction,
    timeS: number,
  ): Face {
    const { spec } = this.classifier;
    const isFolded = this.settings.labels < spec.labels.length;
    const labels = isFolded ? EMOTIONS_WITHOUT_DISGUST : (spec.labels as Emotion[]);
    const probabilities = isFolded ? foldDisgust(prediction.probabilities) : prediction.probabilities;
    const id = track?.id ?? null;
    const smoothed =
      id === null || this.settings.smooth_s === 0 ? null : this.smoother.smooth(id, probabilities, timeS);
    const values = smoothed?.values ?? probabilities;
    const top = indexOfLargest(values);
    const label = smoothed ? smoothed.label : (values[top] as number) >= spec.threshold ? top : null;
    const { box, score, landmarks } = detection;
    return {
      box: [box.x1, box.y1, box.x2, box.y2],
      score,
      emotion: label === null ? null : (labels[label] as Emotion),
      confidence: values[label ?? top] as number,
      probabilities: toTable(labels, probabilities),
      votes: toTable(spec.vote_labels as VoteLabel[], prediction.votes),
      landmarks: landmarks?.map(({ x, y }) => [x, y]) ?? null,
      quality: measureQuality(picture, square, landmarks),
      track: id,
      ...(smoothed && { smoothed: toTable(labels, smoothed.values) }),
    };
  }
}

function toTable<T extends string>(
  labels: readonly T[],
  values: readonly number[],
): Partial<Record<T, number>> {
  return Object.fromEntries(labels.map((label, i) => [label, values[i]])) as Partial<Record<T, number>> &
    Probabilities &
    Votes;
}

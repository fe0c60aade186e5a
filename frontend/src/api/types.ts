/** The JSON of `fervid/1`, with Python's own names; see `src/fervid/results.py`. */

import type { Emotion, SCHEMA, VoteLabel } from "../generated/vocabulary";

/** x1, y1, x2, y2 in px of the upright picture, half-open. */
export type Box = [x1: number, y1: number, x2: number, y2: number];
export type Point = [x: number, y: number];

/** Shares that sum to 1; six labels leave disgust out. */
export type Probabilities = Partial<Record<Emotion, number>>;
export type Votes = Partial<Record<VoteLabel, number>>;

export interface Quality {
  size_px: number;
  sharpness: number;
  roll_deg: number | null;
  yaw: number | null;
}

export interface Evidence {
  /** The part of the picture that the network saw; may leave the picture. */
  square: Box;
  /** Clockwise turn of the square about its middle; absent when it stands upright. */
  angle_deg?: number;
  /** Per expression rows of places: what each adds to the expression's log-odds. */
  maps: Partial<Record<Emotion, number[][]>>;
}

export interface Face {
  box: Box;
  score: number;
  /** Null: uncertain. */
  emotion: Emotion | null;
  confidence: number;
  probabilities: Probabilities;
  votes: Votes;
  landmarks: Point[] | null;
  quality: Quality | null;
  track: number | null;
  evidence?: Evidence;
  smoothed?: Probabilities;
}

export interface Analysis {
  schema: typeof SCHEMA;
  source: string | null;
  size: [width: number, height: number];
  model: string;
  detector: string;
  faces: Face[];
}

export interface Frame extends Analysis {
  frame: number;
  time_s: number;
}

export type Annotation = "none" | "boxes" | "emoji" | "explain";

/** What `POST /images` answers. */
export interface ImageAnswer extends Analysis {
  annotated?: { media_type: string; data: string };
}

/** The one shape of an error. */
export interface ErrorDetail {
  code: string;
  message: string;
  advice: string;
}

export interface Health {
  status: string;
  version: string;
  model: string;
  /** What reads films and cameras. */
  video_model: string;
  detector: string;
  uptime_s: number;
  /** What the server takes. */
  limits?: { max_upload_mb: number; max_pixels: number; max_film_mb: number; max_film_s: number };
}

export interface ModelEntry {
  name: string;
  sha256: string;
  bytes: number;
  task: "expression" | "detection";
  default: boolean;
  identity: string;
  card_url?: string;
}

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface JobFile {
  name: string;
  media_type: string;
  bytes: number;
  url: string;
}

/** A film on the server and what becomes of it. */
export interface Job {
  id: string;
  status: JobStatus;
  /** 0–1. */
  progress: number;
  seconds_left: number | null;
  /** ISO 8601. */
  created: string;
  /** When the server deletes the film and its results by itself, ISO 8601; null while it is read. */
  expires?: string | null;
  name: string;
  duration_s: number | null;
  error?: ErrorDetail | null;
  warnings?: string[];
  files: JobFile[];
}

/** One bin of a person's lane; shares, `uncertain` and `absent` are of its time and sum to 1. */
export interface TimelineBin {
  start_s: number;
  end_s: number;
  shares: Probabilities;
  uncertain: number;
  absent: number;
}

/** A person of a film: `shares` and `uncertain` are of `seen_s`. */
export interface TimelineTrack {
  track: number;
  first_s: number;
  last_s: number;
  seen_s: number;
  coverage: number;
  dominant: Emotion | null;
  shares: Probabilities;
  uncertain: number;
  changes: number;
  /** In the order of time; where the person is not seen there are none. */
  bins: TimelineBin[];
}

/** `timeline.json` of a film. */
export interface Timeline {
  schema: typeof SCHEMA;
  source: string | null;
  start_s: number;
  seconds: number;
  bin_s: number;
  labels: Emotion[];
  /** People who were seen too shortly to get a lane. */
  hidden: number;
  tracks: TimelineTrack[];
}

export interface PersonSummary {
  track: number;
  first_s: number;
  last_s: number;
  seen_s: number;
  coverage: number;
  dominant: Emotion | null;
  shares: Probabilities;
  uncertain: number;
  probabilities: Probabilities;
  transitions: Partial<Record<Emotion, Partial<Record<Emotion, number>>>>;
  /** How often the expression changed. */
  changes: number;
  longest: { emotion: Emotion; start_s: number; seconds: number } | null;
}

/** `summary.json` of a film. */
export interface Summary {
  schema: typeof SCHEMA;
  source: string | null;
  model: string | null;
  start_s: number;
  seconds: number;
  frames: number;
  untracked: number;
  people: PersonSummary[];
}

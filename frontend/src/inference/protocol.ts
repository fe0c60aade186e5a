/** What a page and its worker tell each other. */

import type { ErrorDetail, Frame } from "../api/types";
import type { ReadingSettings, Timings } from "./reading";
import type { Backend } from "./runtime";

export interface Choice {
  /** An expression network by its name; null: the one for browsers. */
  model: string | null;
  /** Null takes the fastest. */
  backend: Backend | null;
}

export const ANY: Choice = { model: null, backend: null };

export type ToWorker =
  /** Fetch the networks and get ready. To be sent once, first. */
  | { type: "start"; settings: ReadingSettings; choice: Choice }
  /** Read a picture, which is transferred. One at a time: the next is sent after the answer. */
  | { type: "frame"; id: number; image: ImageBitmap | VideoFrame; time_s: number }
  /** Forget everybody. */
  | { type: "reset"; settings: ReadingSettings };

export type FromWorker =
  /** How much of the networks has arrived, 0–1. */
  | { type: "progress"; share: number }
  | { type: "ready"; info: ReaderInfo }
  | { type: "frame"; id: number; frame: Frame; timings: WorkerTimings }
  /** To the start, or to the picture that is being read. */
  | { type: "error"; error: ErrorDetail };

export interface ReaderInfo {
  model: string;
  detector: string;
  /** What runs each network. */
  backends: { model: Backend; detector: Backend };
  threads: number;
}

export interface WorkerTimings extends Timings {
  /** Until the pixels were there, ms. */
  decode: number;
}

/** The page's end of the worker. */

import type { Frame } from "../api/types";
import { InferenceError } from "./errors";
import {
  ANY,
  type Choice,
  type FromWorker,
  type ReaderInfo,
  type ToWorker,
  type WorkerTimings,
} from "./protocol";
import { DEFAULT_SETTINGS, type ReadingSettings } from "./reading";

export interface Answer {
  frame: Frame;
  timings: WorkerTimings;
}

/** A module of one function that uses a 128-bit vector: browsers without SIMD refuse it. */
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98,
  11,
]);

/** What this browser lacks to run networks by itself; null when nothing. */
export function findObstacle(): string | null {
  if (typeof Worker === "undefined") return "it has no workers";
  if (typeof WebAssembly === "undefined") return "it has no WebAssembly";
  if (!WebAssembly.validate(SIMD_MODULE)) return "its WebAssembly has no SIMD";
  if (typeof OffscreenCanvas === "undefined") return "its workers have no canvas";
  if (typeof createImageBitmap === "undefined") return "it gives workers no pictures";
  return null;
}

interface Waiting {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

export class WorkerReader {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;
  private isClosed = false;
  private started: { resolve: (info: ReaderInfo) => void; reject: (error: Error) => void } | null = null;
  private onProgress: (share: number) => void = () => {};

  constructor() {
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "fervid" });
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.take(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.fail(
        new InferenceError("browser", event.message || "the worker does not start", "Reload the page."),
      );
    };
  }

  /**
   * Fetch the networks and get ready.
   *
   * @param onProgress is told how much has arrived, 0–1.
   */
  start(
    onProgress: (share: number) => void = () => {},
    settings: ReadingSettings = DEFAULT_SETTINGS,
    choice: Choice = ANY,
  ): Promise<ReaderInfo> {
    this.onProgress = onProgress;
    return new Promise((resolve, reject) => {
      this.started = { resolve, reject };
      this.send({ type: "start", settings, choice });
    });
  }

  /** Read a picture, which is handed over; pictures come in the order of time, the next one after the answer. */
  read(image: ImageBitmap | VideoFrame, timeS: number): Promise<Answer> {
    if (this.isClosed) {
      image.close();
      return Promise.reject(new InferenceError("browser", "the worker was closed", "Start again."));
    }
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.send({ type: "frame", id, image, time_s: timeS }, [image]);
    });
  }

  /** Forget everybody: another camera, other settings. */
  reset(settings: ReadingSettings = DEFAULT_SETTINGS): void {
    this.send({ type: "reset", settings });
  }

  close(): void {
    this.isClosed = true;
    this.worker.terminate();
    this.fail(new InferenceError("browser", "the worker was closed", "Start again."));
  }

  private send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  private take(message: FromWorker): void {
    if (message.type === "progress") this.onProgress(message.share);
    else if (message.type === "ready") this.started?.resolve(message.info);
    else if (message.type === "frame") {
      this.waiting.get(message.id)?.resolve({ frame: message.frame, timings: message.timings });
      this.waiting.delete(message.id);
    } else this.fail(new InferenceError(message.error.code, message.error.message, message.error.advice));
  }

  private fail(error: Error): void {
    this.started?.reject(error);
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

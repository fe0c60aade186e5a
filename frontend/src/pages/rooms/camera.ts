/** A participant's own camera, read in their browser; what comes out is an expression or nothing, twice a second. */

import { batch, type Signal, signal } from "@preact/signals";
import type { Face } from "../../api/types";
import type { Emotion } from "../../generated/vocabulary";
import { findObstacle, WorkerReader } from "../../inference/client";
import { describeError } from "../../inference/errors";
import { CAMERA_LOST, closeCamera, explainCamera, openCamera } from "../../ui/camera";
import type { ErrorText } from "../../ui/ErrorNotice";
import { Sampler } from "./sampling";

export type CameraPhase = "off" | "camera" | "networks" | "on" | "failed";

const EVERY_MS = 500;

export class CameraReader {
  readonly phase: Signal<CameraPhase> = signal("off");
  readonly error: Signal<ErrorText | null> = signal(null);
  /** Of the networks, 0–1. */
  readonly progress = signal(0);
  /** What was read last; null for no face or uncertain. */
  readonly latest: Signal<Emotion | null> = signal(null);
  /** Samples since the last bucket. */
  readonly size = signal(0);
  readonly sampler = new Sampler();
  readonly stream: Signal<MediaStream | null> = signal(null);
  private readonly video = document.createElement("video");
  /** The networks: fetched once, however often the camera is switched on meanwhile. */
  private worker: { reader: WorkerReader; ready: Promise<unknown> } | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private isReading = false;
  /** Which picture was read last, by the video's time, s; null before the first. */
  private readS: number | null = null;
  /** Whether the video's time goes on at all: where it does not, it tells nothing of pictures. */
  private isTimed = false;
  private run = 0;

  constructor() {
    this.video.muted = true;
    this.video.playsInline = true;
  }

  /** Switch the camera on; it may be on already, or on its way. */
  async start(): Promise<void> {
    if (this.phase.value !== "off" && this.phase.value !== "failed") return;
    const run = ++this.run;
    const obstacle = findObstacle();
    if (obstacle !== null) {
      this.fail({
        message: `This browser cannot read a camera by itself: ${obstacle}`,
        advice: "Your picture is sent nowhere, so you cannot take part with this browser. Use a current one.",
      });
      return;
    }
    batch(() => {
      this.error.value = null;
      this.phase.value = "camera";
    });
    try {
      const stream = await openCamera({ facingMode: "user", width: { ideal: 640 } });
      if (run !== this.run) {
        closeCamera(stream);
        return;
      }
      this.stream.value = stream;
      stream.getVideoTracks()[0]?.addEventListener("ended", () => {
        if (this.stream.value === stream) this.fail(CAMERA_LOST);
      });
      this.video.srcObject = stream;
      await this.video.play();
    } catch (reason) {
      if (run === this.run) this.fail(explainCamera(reason));
      return;
    }
    if (run === this.run) await this.prepare(run);
  }

  /** The camera is off, and its light; the networks stay. */
  stop(): void {
    this.run++;
    this.release();
    batch(() => {
      this.phase.value = "off";
      this.latest.value = null;
      this.size.value = 0;
    });
  }

  close(): void {
    this.stop();
    this.closeWorker();
  }

  /** Counts of the samples since the last call. */
  take(steps: number) {
    const counts = this.sampler.take(steps);
    this.size.value = 0;
    return counts;
  }

  private async prepare(run: number): Promise<void> {
    this.phase.value = "networks";
    const worker = this.worker ?? this.openWorker();
    try {
      await worker.ready;
    } catch (error) {
      worker.reader.close();
      if (this.worker === worker) this.worker = null;
      if (run === this.run) this.fail(describeError(error));
      return;
    }
    if (run !== this.run) return;
    worker.reader.reset();
    this.phase.value = "on";
    this.timer = setInterval(() => void this.read(run), EVERY_MS);
  }

  private openWorker() {
    const reader = new WorkerReader();
    const ready = reader.start((share) => {
      this.progress.value = share;
    });
    this.worker = { reader, ready };
    return this.worker;
  }

  private closeWorker(): void {
    this.worker?.reader.close();
    this.worker = null;
  }

  private async read(run: number): Promise<void> {
    if (this.isReading || this.worker === null || this.video.videoWidth === 0) return;
    if (!this.hasNewPicture()) {
      this.latest.value = null; // what it showed is no longer so
      return;
    }
    this.isReading = true;
    try {
      const picture = await createImageBitmap(this.video);
      const { frame } = await this.worker.reader.read(picture, performance.now() / 1000);
      if (run !== this.run) return;
      const emotion = findNearest(frame.faces)?.emotion ?? null;
      this.sampler.add(emotion);
      batch(() => {
        this.latest.value = emotion;
        this.size.value = this.sampler.size;
      });
    } catch (error) {
      if (run !== this.run) return;
      this.closeWorker(); // or the next try would get the network that failed
      this.fail(describeError(error));
    } finally {
      this.isReading = false;
    }
  }

  /** Whether the camera has sent a picture since the last call: one that is frozen or muted is not read again. */
  private hasNewPicture(): boolean {
    if (this.stream.value?.getVideoTracks()[0]?.muted) return false;
    const nowS = this.video.currentTime;
    if (nowS === this.readS) return !this.isTimed;
    this.isTimed = this.readS !== null;
    this.readS = nowS;
    return true;
  }

  private fail(error: ErrorText): void {
    this.run++;
    this.release();
    batch(() => {
      this.error.value = error;
      this.phase.value = "failed";
    });
  }

  private release(): void {
    clearInterval(this.timer);
    if (this.stream.value) closeCamera(this.stream.value);
    this.stream.value = null;
    this.video.srcObject = null;
    this.readS = null;
    this.isTimed = false;
    this.sampler.take(1);
  }
}

/** The largest face: whoever sits before the screen. */
function findNearest(faces: readonly Face[]): Face | null {
  const areaOf = ({ box: [x1, y1, x2, y2] }: Face): number => (x2 - x1) * (y2 - y1);
  return faces.reduce<Face | null>(
    (best, face) => (best && areaOf(best) >= areaOf(face) ? best : face),
    null,
  );
}

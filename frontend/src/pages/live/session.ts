/** One session at the camera: pictures to the screen at their own pace, answers as fast as they come. */

import { batch, signal } from "@preact/signals";
import type { Face, Frame } from "../../api/types";
import { findObstacle } from "../../inference/client";
import { describeError } from "../../inference/errors";
import { CAMERA_LOST, closeCamera, explainCamera, openCamera } from "../../ui/camera";
import type { ErrorText } from "../../ui/ErrorNotice";
import { FaceFollower } from "./follower";
import { History, Rate, Recording } from "./history";
import { LocalReader, type PictureReader, ServerReader } from "./reader";

export type Phase = "idle" | "camera" | "networks" | "running" | "offer" | "failed";

export interface Pace {
  /** Pictures shown and read, per second. */
  shown: number;
  read: number;
  /** From a picture to its answer, ms. */
  delayMs: number;
}

/** Why the browser does not read by itself, in words. */
export interface Obstacle extends ErrorText {
  /** Whether it may be gone when it is tried again: the browser lacks nothing. */
  isPassing: boolean;
}

/** How often `checkPace` wants to be called, ms. */
export const PACE_EVERY_MS = 500;
/** A camera that sends nothing for so long is said to be lost. */
const SILENT_MS = 4000;
/** What browsers call a camera that was named and is not there. */
const GONE = new Set(["OverconstrainedError", "NotFoundError"]);

export class LiveSession {
  readonly phase = signal<Phase>("idle");
  readonly error = signal<ErrorText | null>(null);
  readonly obstacle = signal<Obstacle | null>(null);
  readonly progress = signal(0);
  readonly frame = signal<Frame | null>(null);
  readonly pace = signal<Pace>({ shown: 0, read: 0, delayMs: 0 });
  readonly means = signal("");
  readonly isRemote = signal(false);
  readonly isPaused = signal(false);
  readonly isSilent = signal(false);
  readonly cameras = signal<MediaDeviceInfo[]>([]);
  readonly cameraId = signal("");
  /** Whether the camera looks at whoever sits before the screen. */
  readonly isFacing = signal(true);
  readonly isRecording = signal(false);
  /** Whether the recording ended because it takes no more. */
  readonly isFull = signal(false);
  readonly rows = signal(0);

  readonly history = new History();
  recording = new Recording();
  private readonly follower = new FaceFollower();
  private readonly video: HTMLVideoElement;
  private readonly draw: (faces: readonly Face[]) => void;
  private readonly shownRate = new Rate();
  private readonly readRate = new Rate();
  private stream: MediaStream | null = null;
  private reader: PictureReader | null = null;
  private isReading = false;
  private delayMs = 0;
  private heardMs = 0;
  private checkedMs = 0;
  private pausedMs = 0;
  private run = 0;
  /** Of the pictures that are shown. */
  private size = "";
  /** The camera that `start` opens; empty for the browser's choice. */
  private wantedId = "";

  /** `draw` is called for every picture that is shown, with its faces. */
  constructor(video: HTMLVideoElement, draw: (faces: readonly Face[]) => void) {
    this.video = video;
    this.draw = draw;
  }

  /** Ask for a camera, which is the one that worked last unless it is named; get ready, go on until `stop`. */
  async start(deviceId = this.wantedId): Promise<void> {
    const run = ++this.run;
    this.wantedId = deviceId;
    batch(() => {
      this.error.value = null;
      this.phase.value = "camera";
    });
    try {
      await this.connect(run, deviceId);
    } catch (reason) {
      if (run !== this.run) return;
      this.wantedId = this.cameraId.value; // the last one that worked: the next try must not depend on this one
      this.fail(explainCamera(reason));
      return;
    }
    if (run !== this.run) return;
    this.beat(run);
    if (this.reader === null) await this.prepare(run);
    else this.phase.value = "running";
  }

  stop(): void {
    this.run++;
    this.release();
    this.reader?.close();
    this.reader = null;
    batch(() => {
      this.phase.value = "idle";
      this.frame.value = null;
      this.isPaused.value = this.isSilent.value = this.isRecording.value = false;
      this.pace.value = { shown: 0, read: 0, delayMs: 0 };
    });
  }

  /** Let the server read: pictures leave the page from here on. */
  async useServer(): Promise<void> {
    const run = this.run;
    let reader: PictureReader;
    try {
      reader = await ServerReader.open();
    } catch (error) {
      if (run === this.run) this.fail(describeError(error));
      return;
    }
    // Kept after a stop, it would be taken for this page's own reader by the next start.
    if (run === this.run && this.reader === null) this.begin(reader);
    else reader.close();
  }

  /** Fetch the networks again, which did not come; the camera stays on. */
  async retryNetworks(): Promise<void> {
    if (this.phase.value === "offer") await this.prepare(this.run);
  }

  /** Ends the recording, whose rows stay: people are numbered anew, and a number must not be two of them. */
  async changeCamera(deviceId: string): Promise<void> {
    this.isRecording.value = false;
    this.release();
    this.reader?.reset();
    await this.start(deviceId);
  }

  togglePause(): void {
    if (this.phase.value === "camera") return; // a pause in between looks to `connect` like a camera in use
    this.isPaused.value = !this.isPaused.value;
    this.pausedMs = performance.now();
    if (this.isPaused.value) this.video.pause();
    else void this.video.play().catch(() => undefined); // paused again before it plays
  }

  /** Draw the faces of the picture that is shown once more; a paused one gets no other. */
  redraw(): void {
    const timeMs = this.isPaused.value ? this.pausedMs : performance.now();
    this.draw(this.phase.value === "running" ? this.follower.place(timeMs / 1000) : []);
  }

  toggleRecording(): void {
    if (!this.isRecording.value) {
      this.recording = new Recording();
      this.rows.value = 0;
      this.isFull.value = false;
    }
    this.isRecording.value = !this.isRecording.value;
  }

  private async connect(run: number, deviceId: string): Promise<void> {
    const stream = await this.open(run, deviceId);
    if (run !== this.run) {
      closeCamera(stream); // nobody waits for it any more
      return;
    }
    this.stream = stream;
    const [track] = stream.getVideoTracks();
    track?.addEventListener("ended", () => {
      if (this.stream === stream) this.fail(CAMERA_LOST);
    });
    this.video.srcObject = stream;
    await this.video.play();
    const devices = await navigator.mediaDevices.enumerateDevices(); // names are known only now
    const settings = track?.getSettings() ?? {};
    batch(() => {
      this.cameras.value = devices.filter((device) => device.kind === "videoinput");
      this.cameraId.value = this.wantedId = settings.deviceId ?? "";
      this.isFacing.value = settings.facingMode !== "environment";
      this.isPaused.value = this.isSilent.value = false;
    });
    this.forget();
  }

  private async open(run: number, deviceId: string): Promise<MediaStream> {
    const choice = deviceId === "" ? { facingMode: "user" } : { deviceId: { exact: deviceId } };
    try {
      return await openCamera({ height: { ideal: 720 }, frameRate: { ideal: 30 }, ...choice });
    } catch (reason) {
      const isGone = reason instanceof DOMException && GONE.has(reason.name);
      if (deviceId === "" || !isGone || run !== this.run) throw reason;
      return this.open(run, ""); // another camera is better than none
    }
  }

  private async prepare(run: number): Promise<void> {
    this.phase.value = "networks";
    this.progress.value = 0;
    const lack = findObstacle();
    let obstacle: Obstacle;
    if (lack !== null) {
      obstacle = { message: `This browser cannot run the networks: ${lack}`, isPassing: false };
    } else {
      try {
        const reader = await LocalReader.open((share) => {
          this.progress.value = share;
        });
        if (run === this.run && this.reader === null) this.begin(reader);
        else reader.close();
        return;
      } catch (error) {
        const { message, advice } = describeError(error);
        obstacle = { message: `The networks could not be loaded: ${message}`, advice, isPassing: true };
      }
    }
    if (run !== this.run || this.reader !== null) return; // the server may read by now
    this.obstacle.value = obstacle;
    this.phase.value = "offer"; // also at localhost, which may be the end of a tunnel: whoever is seen says so
  }

  private begin(reader: PictureReader): void {
    this.reader = reader;
    batch(() => {
      this.isRemote.value = reader.isRemote;
      this.phase.value = "running";
    });
  }

  /** Once per picture of the camera. */
  private beat(run: number): void {
    if (run !== this.run) return;
    const next = () => this.beat(run);
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(next);
    else requestAnimationFrame(next);
    const now = performance.now();
    this.heardMs = now;
    this.shownRate.add(now / 1000);
    const size = `${this.video.videoWidth}×${this.video.videoHeight}`;
    if (size !== this.size) this.follower.clear(); // a phone was turned: nobody is where they were
    this.size = size;
    this.redraw();
    if (this.phase.value === "running" && !this.isReading && !this.isPaused.value) void this.read(run, now);
  }

  /** One picture at a time; those that come meanwhile are shown and not read. */
  private async read(run: number, now: number): Promise<void> {
    const reader = this.reader;
    if (reader === null || this.video.videoWidth === 0) return;
    this.isReading = true;
    const size = this.size;
    try {
      const answer = await reader.read(this.video, now / 1000);
      if (run !== this.run || reader !== this.reader) return;
      this.take({ ...answer, time_s: now / 1000 }, performance.now() - now);
      if (size !== this.size) this.follower.clear();
    } catch (error) {
      if (run === this.run && reader === this.reader) this.fail(describeError(error));
    } finally {
      this.isReading = false;
    }
  }

  private take(frame: Frame, tookMs: number): void {
    this.delayMs += (tookMs - this.delayMs) / (this.delayMs === 0 ? 1 : 10);
    this.readRate.add(performance.now() / 1000);
    this.follower.update(frame);
    this.history.add(frame);
    batch(() => {
      if (this.isRecording.value && !this.recording.add(frame)) {
        this.isRecording.value = false;
        this.isFull.value = true;
      }
      this.rows.value = this.recording.rows;
      this.frame.value = frame;
    });
    if (this.isPaused.value) this.redraw(); // no picture comes that would
  }

  /** To be called now and then: how fast it goes, and whether the camera still sends. */
  checkPace(): void {
    if (this.phase.value !== "running") return;
    const now = performance.now();
    // Nothing is shown meanwhile, and nothing is amiss; or this very call was held back, as while the computer slept.
    const isAway = this.isPaused.value || document.hidden || now - this.checkedMs > SILENT_MS;
    this.checkedMs = now;
    if (isAway) this.heardMs = now;
    const isSilent = now - this.heardMs > SILENT_MS;
    const isStill = isSilent || this.isPaused.value;
    batch(() => {
      this.isSilent.value = isSilent;
      this.means.value = this.reader?.describe() ?? "";
      this.pace.value = {
        shown: isStill ? 0 : this.shownRate.measure(now / 1000),
        read: isStill ? 0 : this.readRate.measure(now / 1000),
        delayMs: this.delayMs,
      };
    });
  }

  private forget(): void {
    this.follower.clear();
    this.history.clear();
    this.shownRate.clear();
    this.readRate.clear();
    this.delayMs = 0;
    this.heardMs = performance.now();
    this.frame.value = null;
  }

  private release(): void {
    if (this.stream !== null) closeCamera(this.stream);
    this.stream = null;
    this.video.srcObject = null;
    this.draw([]);
  }

  private fail(error: ErrorText): void {
    this.stop();
    batch(() => {
      this.error.value = error;
      this.phase.value = "failed";
    });
  }
}

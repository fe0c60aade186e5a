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

/** How often `checkPace` wants to be called, ms. */
export const PACE_EVERY_MS = 500;
/** A camera that sends nothing for so long is said to be lost. */
const SILENT_MS = 4000;

export class LiveSession {
  readonly phase = signal<Phase>("idle");
  readonly error = signal<ErrorText | null>(null);
  /** Why the browser does not read by itself. */
  readonly obstacle = signal<string | null>(null);
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
  private run = 0;

  /** `draw` is called for every picture that is shown, with its faces. */
  constructor(video: HTMLVideoElement, draw: (faces: readonly Face[]) => void) {
    this.video = video;
    this.draw = draw;
  }

  /** Ask for the camera, get ready, go on until `stop`. */
  async start(deviceId = ""): Promise<void> {
    const run = ++this.run;
    batch(() => {
      this.error.value = null;
      this.phase.value = "camera";
    });
    try {
      await this.connect(run, deviceId);
    } catch (reason) {
      if (run === this.run) this.fail(explainCamera(reason));
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

  async changeCamera(deviceId: string): Promise<void> {
    this.release();
    this.reader?.reset();
    await this.start(deviceId);
  }

  togglePause(): void {
    this.isPaused.value = !this.isPaused.value;
    if (this.isPaused.value) this.video.pause();
    else void this.video.play();
  }

  toggleRecording(): void {
    if (!this.isRecording.value) {
      this.recording = new Recording();
      this.rows.value = 0;
    }
    this.isRecording.value = !this.isRecording.value;
  }

  private async connect(run: number, deviceId: string): Promise<void> {
    const choice = deviceId === "" ? { facingMode: "user" } : { deviceId: { exact: deviceId } };
    const stream = await openCamera({ height: { ideal: 720 }, frameRate: { ideal: 30 }, ...choice });
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
      this.cameraId.value = settings.deviceId ?? "";
      this.isFacing.value = settings.facingMode !== "environment";
      this.isPaused.value = this.isSilent.value = false;
    });
    this.forget();
  }

  private async prepare(run: number): Promise<void> {
    this.phase.value = "networks";
    this.progress.value = 0;
    let obstacle = findObstacle();
    if (obstacle === null) {
      try {
        const reader = await LocalReader.open((share) => {
          this.progress.value = share;
        });
        if (run === this.run) this.begin(reader);
        else reader.close();
        return;
      } catch (error) {
        obstacle = describeError(error).message;
      }
    }
    if (run !== this.run) return;
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
    this.draw(this.phase.value === "running" ? this.follower.place(now / 1000) : []);
    if (this.phase.value === "running" && !this.isReading && !this.isPaused.value) void this.read(run, now);
  }

  /** One picture at a time; those that come meanwhile are shown and not read. */
  private async read(run: number, now: number): Promise<void> {
    const reader = this.reader;
    if (reader === null || this.video.videoWidth === 0) return;
    this.isReading = true;
    try {
      const answer = await reader.read(this.video, now / 1000);
      if (run !== this.run || reader !== this.reader) return;
      this.take({ ...answer, time_s: now / 1000 }, performance.now() - now);
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
    if (this.isRecording.value && !this.recording.add(frame)) this.isRecording.value = false;
    batch(() => {
      this.rows.value = this.recording.rows;
      this.frame.value = frame;
    });
  }

  /** To be called now and then: how fast it goes, and whether the camera still sends. */
  checkPace(): void {
    if (this.phase.value !== "running") return;
    const isSilent = !this.isPaused.value && !document.hidden && performance.now() - this.heardMs > SILENT_MS;
    batch(() => {
      this.isSilent.value = isSilent;
      this.means.value = this.reader?.describe() ?? "";
      this.pace.value = {
        shown: isSilent ? 0 : this.shownRate.perSecond,
        read: isSilent ? 0 : this.readRate.perSecond,
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
  }

  private fail(error: ErrorText): void {
    this.stop();
    batch(() => {
      this.error.value = error;
      this.phase.value = "failed";
    });
  }
}

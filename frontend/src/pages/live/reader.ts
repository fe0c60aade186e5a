/** Who reads the pictures: this page, or the server where the browser cannot. */

import type { ErrorDetail, Frame } from "../../api/types";
import { WorkerReader } from "../../inference/client";
import { InferenceError } from "../../inference/errors";
import type { ReaderInfo } from "../../inference/protocol";

export interface PictureReader {
  /** Whether pictures leave the page. */
  readonly isRemote: boolean;
  /** In words. */
  describe(): string;
  read(video: HTMLVideoElement, timeS: number): Promise<Frame>;
  reset(): void;
  close(): void;
}

export class LocalReader implements PictureReader {
  readonly isRemote = false;
  private readonly worker: WorkerReader;
  private readonly info: ReaderInfo;

  private constructor(worker: WorkerReader, info: ReaderInfo) {
    this.worker = worker;
    this.info = info;
  }

  static async open(onProgress: (share: number) => void): Promise<LocalReader> {
    const worker = new WorkerReader();
    try {
      return new LocalReader(worker, await worker.start(onProgress));
    } catch (error) {
      worker.close();
      throw error;
    }
  }

  describe(): string {
    const { model, detector, backends, threads } = this.info;
    const name = { webgpu: "WebGPU", wasm: threads > 1 ? `WebAssembly, ${threads} threads` : "WebAssembly" };
    const isOne = backends.model === backends.detector;
    const means = isOne ? name[backends.model] : `${name[backends.model]} and ${name[backends.detector]}`;
    return `${model.split("@")[0]} and ${detector} by ${means}`;
  }

  async read(video: HTMLVideoElement, timeS: number): Promise<Frame> {
    const picture = await createImageBitmap(video);
    return (await this.worker.read(picture, timeS)).frame;
  }

  reset(): void {
    this.worker.reset();
  }

  close(): void {
    this.worker.close();
  }
}

/** The longer side of what is sent, px, and its quality: faces need no more. */
const LONGEST = 640;
const QUALITY = 0.85;
const PATIENCE_MS = 15_000;

interface Waiting {
  resolve: (frame: Frame) => void;
  reject: (error: Error) => void;
}

export class ServerReader implements PictureReader {
  readonly isRemote = true;
  private readonly socket: WebSocket;
  private readonly canvas = document.createElement("canvas");
  private waiting: Waiting | null = null;
  private model = "";
  /** What the server said last that was no frame: it may say why it closes before a picture is sent. */
  private complaint: InferenceError | null = null;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.onmessage = ({ data }) => this.take(String(data));
    socket.onclose = () => this.fail(this.complaint ?? serverError("the server closed the connection"));
  }

  static open(): Promise<ServerReader> {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/live`);
    return new Promise((resolve, reject) => {
      socket.onerror = () => reject(serverError("the server does not answer"));
      socket.onopen = () => {
        const reader = new ServerReader(socket);
        reader.reset();
        resolve(reader);
      };
    });
  }

  describe(): string {
    return this.model === "" ? "the server" : `${this.model.split("@")[0]} on the server`;
  }

  async read(video: HTMLVideoElement): Promise<Frame> {
    const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    this.canvas.width = Math.round(video.videoWidth * scale);
    this.canvas.height = Math.round(video.videoHeight * scale);
    this.canvas.getContext("2d")?.drawImage(video, 0, 0, this.canvas.width, this.canvas.height);
    const blob = await new Promise<Blob | null>((resolve) =>
      this.canvas.toBlob(resolve, "image/jpeg", QUALITY),
    );
    if (blob === null)
      throw new InferenceError("browser", "the picture cannot be packed", "Reload the page.");
    if (this.socket.readyState !== WebSocket.OPEN)
      throw this.complaint ?? serverError("the connection to the server is lost");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.fail(serverError("the server is silent")), PATIENCE_MS);
      const settle =
        <T>(finish: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          this.waiting = null;
          finish(value);
        };
      this.waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.socket.send(blob);
    });
  }

  reset(): void {
    this.socket.send(JSON.stringify({ type: "start" }));
    this.fail(serverError("another camera was chosen")); // the server answers no picture from before
  }

  close(): void {
    this.socket.onclose = null;
    this.socket.close();
    this.fail(serverError("the connection was closed"));
  }

  private take(text: string): void {
    const message = JSON.parse(text) as
      | { type: "frame"; frame: Frame }
      | { type: "error"; error: ErrorDetail }
      | { type: string };
    if ("frame" in message) {
      this.complaint = null;
      this.model = message.frame.model;
      this.waiting?.resolve(message.frame);
    } else if ("error" in message) {
      const { code, message: what, advice } = message.error;
      this.complaint = new InferenceError(code, what, advice);
      this.fail(this.complaint);
    }
  }

  private fail(error: Error): void {
    this.waiting?.reject(error);
  }
}

function serverError(message: string): InferenceError {
  return new InferenceError("network", message, "Check that fervid serve is running, then try again.");
}

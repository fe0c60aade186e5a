// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { WorkerReader } from "../../inference/client";
import { ServerReader } from "./reader";

/** A connection whose other end the test is. */
class Line {
  static readonly OPEN = 1;
  static last: Line;
  readyState = Line.OPEN;
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: () => void;
  readonly send = vi.fn();

  close(): void {
    this.readyState = 2;
  }

  constructor() {
    Line.last = this;
    setTimeout(() => this.onopen?.());
  }

  hear(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  hangUp(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

const VIDEO = { videoWidth: 640, videoHeight: 480 } as HTMLVideoElement;
const REFUSAL = { code: "web.too_many", message: "32 cameras are being read already", advice: "Try again." };

describe("ServerReader", () => {
  beforeEach(() => {
    vi.stubGlobal("WebSocket", Line);
    vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((take) => take(new Blob(["jpeg"])));
  });

  it("says why the server refused, also when it did before a picture was sent", async () => {
    const reader = await ServerReader.open();
    Line.last.hear({ type: "error", error: REFUSAL });
    Line.last.hangUp();
    await expect(reader.read(VIDEO)).rejects.toMatchObject(REFUSAL);
  });

  it("leaves it to the server's network how many labels there are", async () => {
    await ServerReader.open();
    expect(Line.last.send.mock.calls).toEqual([['{"type":"start"}']]);
  });

  it("goes on after a picture that could not be read", async () => {
    const reader = await ServerReader.open();
    const answers = [
      { type: "error", error: { ...REFUSAL, code: "input.image" } },
      { type: "frame", frame: { model: "small@0", faces: [] } },
    ];
    for (const answer of answers)
      Line.last.send.mockImplementationOnce(() => setTimeout(() => Line.last.hear(answer)));
    await expect(reader.read(VIDEO)).rejects.toMatchObject({ code: "input.image" });
    await expect(reader.read(VIDEO)).resolves.toMatchObject({ faces: [] });
    Line.last.hangUp();
    await expect(reader.read(VIDEO)).rejects.toMatchObject({ code: "network" });
  });

  it.each(["reset", "close"] as const)("waits for no answer after %s", async (what) => {
    const reader = await ServerReader.open();
    const read = reader.read(VIDEO).then(
      () => "read",
      () => "over",
    );
    await new Promise((resolve) => setTimeout(resolve)); // the picture is sent
    reader[what]();
    expect(await Promise.race([read, new Promise((resolve) => setTimeout(resolve, 50, "hangs"))])).toBe(
      "over",
    );
  });
});

describe("WorkerReader", () => {
  it("reads nothing once it is closed", async () => {
    vi.stubGlobal(
      "Worker",
      class {
        postMessage(): void {}
        terminate(): void {}
      },
    );
    const reader = new WorkerReader();
    reader.close();
    const picture = { close: vi.fn() };
    const read = reader.read(picture as unknown as ImageBitmap, 0);
    await expect(read).rejects.toMatchObject({ message: "the worker was closed" });
    expect(picture.close).toHaveBeenCalledOnce();
  });
});

// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WorkerReader } from "../../inference/client";
import { closeCamera, openCamera } from "../../ui/camera";
import { CameraReader } from "./camera";

vi.mock("../../inference/client", () => ({ findObstacle: () => null, WorkerReader: vi.fn() }));
vi.mock("../../ui/camera");

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("CameraReader", () => {
  let arrive: () => void;
  let camera: CameraReader;
  const reset = vi.fn();
  const close = vi.fn();
  const read = vi.fn();

  beforeEach(() => {
    vi.clearAllMocks();
    vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue();
    vi.mocked(openCamera).mockImplementation(async () => new MediaStream());
    const networks = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    class Networks {
      start = () => networks;
      reset = reset;
      close = close;
      read = read;
    }
    vi.mocked(WorkerReader).mockImplementation(Networks as unknown as typeof WorkerReader);
    camera = new CameraReader();
  });

  afterEach(() => {
    camera.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it("stays one camera when it is switched on twice", async () => {
    void camera.start();
    await settle();
    expect(camera.phase.value).toBe("networks");
    void camera.start(); // who tries it may join before the networks are there
    await settle();
    expect(openCamera).toHaveBeenCalledOnce();
    expect(camera.phase.value).toBe("networks");
    arrive();
    await settle();
    expect(camera.phase.value).toBe("on");
    camera.stop();
    expect(closeCamera).toHaveBeenCalledOnce();
  });

  it("reads no picture twice, and none of a muted camera", async () => {
    vi.useFakeTimers();
    const track = Object.assign(new EventTarget(), { muted: false });
    const stream = new MediaStream();
    stream.getVideoTracks = () => [track as unknown as MediaStreamTrack];
    vi.mocked(openCamera).mockResolvedValue(stream);
    vi.stubGlobal("createImageBitmap", vi.fn().mockResolvedValue({}));
    read.mockResolvedValue({ frame: { faces: [{ emotion: "happy", box: [0, 0, 1, 1] }] } });
    const { video } = camera as unknown as { video: HTMLVideoElement };
    const time = vi.fn().mockReturnValue(0);
    Object.defineProperties(video, { videoWidth: { value: 640 }, currentTime: { get: time } });
    arrive();
    await camera.start();
    await vi.advanceTimersByTimeAsync(500);
    expect([camera.latest.value, camera.size.value]).toEqual(["happy", 1]);
    time.mockReturnValue(1);
    await vi.advanceTimersByTimeAsync(500);
    expect([camera.latest.value, camera.size.value]).toEqual(["happy", 2]);
    await vi.advanceTimersByTimeAsync(2000); // it is frozen
    expect([camera.latest.value, camera.size.value]).toEqual([null, 2]);
    time.mockReturnValue(3);
    await vi.advanceTimersByTimeAsync(500);
    expect([camera.latest.value, camera.size.value]).toEqual(["happy", 3]);
    time.mockReturnValue(4);
    track.muted = true;
    await vi.advanceTimersByTimeAsync(500);
    expect([camera.latest.value, camera.size.value]).toEqual([null, 3]);
    expect(read).toHaveBeenCalledTimes(3);
  });

  it("keeps no networks that failed: another try gets others", async () => {
    vi.useFakeTimers();
    vi.stubGlobal("createImageBitmap", vi.fn().mockResolvedValue({}));
    const { video } = camera as unknown as { video: HTMLVideoElement };
    Object.defineProperties(video, { videoWidth: { value: 640 } });
    read.mockRejectedValueOnce(new Error("the graphics card is gone"));
    arrive();
    await camera.start();
    await vi.advanceTimersByTimeAsync(500);
    expect([camera.phase.value, close.mock.calls.length]).toEqual(["failed", 1]);
    await camera.start();
    expect(camera.phase.value).toBe("on");
    expect(WorkerReader).toHaveBeenCalledTimes(2);
  });

  it("waits for networks that were asked for before a pause", async () => {
    void camera.start();
    await settle();
    camera.stop();
    void camera.start();
    await settle();
    expect([camera.phase.value, reset.mock.calls.length]).toEqual(["networks", 0]);
    arrive();
    await settle();
    expect([camera.phase.value, reset.mock.calls.length]).toEqual(["on", 1]);
    expect(WorkerReader).toHaveBeenCalledOnce();
    expect(camera.error.value).toBeNull();
  });
});

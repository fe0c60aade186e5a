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
    }
    vi.mocked(WorkerReader).mockImplementation(Networks as unknown as typeof WorkerReader);
    camera = new CameraReader();
  });

  afterEach(() => {
    camera.close();
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

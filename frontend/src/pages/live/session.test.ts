// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Face, Frame } from "../../api/types";
import { findObstacle } from "../../inference/client";
import { InferenceError } from "../../inference/errors";
import { closeCamera, openCamera } from "../../ui/camera";
import { LocalReader, type PictureReader, ServerReader } from "./reader";
import { LiveSession } from "./session";

vi.mock("../../inference/client", () => ({ findObstacle: vi.fn() }));
vi.mock("../../ui/camera");
vi.mock("./reader", () => ({ LocalReader: { open: vi.fn() }, ServerReader: { open: vi.fn() } }));

const VIDEO = {
  play: vi.fn(async () => {}),
  pause: vi.fn(),
  requestVideoFrameCallback: vi.fn((_: () => void) => 0),
  srcObject: null,
  videoWidth: 640,
};

/** A camera, and how to lose it. */
function makeStream(deviceId = ""): MediaStream & { lose: () => void } {
  const track = Object.assign(new EventTarget(), { getSettings: () => ({ facingMode: "user", deviceId }) });
  const lose = () => track.dispatchEvent(new Event("ended"));
  return { getVideoTracks: () => [track], lose } as unknown as MediaStream & { lose: () => void };
}

function makeFace(): Face {
  return {
    box: [0, 0, 50, 60],
    score: 0.9,
    emotion: "happy",
    confidence: 1,
    probabilities: { happy: 1 },
    votes: {},
    landmarks: null,
    quality: null,
    track: 1,
  };
}

function makeReader(isRemote = true) {
  return { isRemote, describe: () => "", read: vi.fn(), reset: vi.fn(), close: vi.fn() };
}

/** A promise, and the function that keeps it. */
function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((keep) => {
    resolve = keep;
  });
  return { promise, resolve };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe("LiveSession", () => {
  let session: LiveSession;
  const draw = vi.fn((_: readonly Face[]) => {});

  beforeEach(() => {
    vi.clearAllMocks();
    VIDEO.play.mockImplementation(async () => {});
    vi.mocked(findObstacle).mockReturnValue("it has no workers");
    vi.stubGlobal("navigator", { mediaDevices: { enumerateDevices: async () => [] } });
    session = new LiveSession(VIDEO as unknown as HTMLVideoElement, draw);
  });

  it("asks before the server reads, and says that it does", async () => {
    vi.mocked(openCamera).mockResolvedValue(makeStream());
    vi.mocked(ServerReader.open).mockResolvedValue(makeReader() as unknown as ServerReader);
    await session.start();
    expect(session.phase.value).toBe("offer");
    expect(ServerReader.open).not.toHaveBeenCalled();
    await session.useServer();
    expect([session.phase.value, session.isRemote.value]).toEqual(["running", true]);
  });

  it("keeps no connection to the server that is there only after a stop", async () => {
    vi.mocked(openCamera).mockResolvedValue(makeStream());
    const late = defer<PictureReader>();
    vi.mocked(ServerReader.open).mockReturnValue(late.promise as Promise<ServerReader>);
    await session.start();
    const offered = session.useServer();
    session.stop();
    const reader = makeReader();
    late.resolve(reader);
    await offered;
    expect(reader.close).toHaveBeenCalledOnce();
    await session.start();
    expect(session.phase.value).toBe("offer"); // asked anew: no picture goes to the server unsaid
    expect(reader.read).not.toHaveBeenCalled();
  });

  it("opens one connection, however often the offer is taken", async () => {
    vi.mocked(openCamera).mockResolvedValue(makeStream());
    const [first, second] = [makeReader(), makeReader()];
    vi.mocked(ServerReader.open)
      .mockResolvedValueOnce(first as unknown as ServerReader)
      .mockResolvedValueOnce(second as unknown as ServerReader);
    await session.start();
    await Promise.all([session.useServer(), session.useServer()]);
    expect([first.close.mock.calls.length, second.close.mock.calls.length]).toEqual([0, 1]);
  });

  it("closes a camera that comes when another was chosen", async () => {
    const [slow, quick] = [makeStream(), makeStream()];
    const late = defer<MediaStream>();
    vi.mocked(openCamera).mockReturnValueOnce(late.promise).mockResolvedValueOnce(quick);
    const first = session.start("slow");
    await session.changeCamera("quick");
    late.resolve(slow);
    await first;
    await settle();
    expect(vi.mocked(closeCamera).mock.calls).toEqual([[slow]]);
    expect(session.phase.value).toBe("offer");
  });

  describe("whose networks do not come", () => {
    const failure = new InferenceError("network", "/api/v1/models cannot be reached", "Check the server.");

    beforeEach(async () => {
      vi.mocked(openCamera).mockResolvedValue(makeStream());
      vi.mocked(findObstacle).mockReturnValue(null);
      vi.mocked(LocalReader.open).mockRejectedValueOnce(failure);
      await session.start();
    });

    it("does not call that a lack of the browser, and tries again", async () => {
      expect(session.phase.value).toBe("offer");
      expect(session.obstacle.value).toEqual({
        message: "The networks could not be loaded: /api/v1/models cannot be reached",
        advice: "Check the server.",
        isPassing: true,
      });
      vi.mocked(LocalReader.open).mockResolvedValueOnce(makeReader(false) as unknown as LocalReader);
      await session.retryNetworks();
      expect([session.phase.value, session.isRemote.value]).toEqual(["running", false]);
      expect(openCamera).toHaveBeenCalledOnce();
    });

    it("keeps one reader when the server was asked meanwhile", async () => {
      const [server, own] = [makeReader(), makeReader(false)];
      const late = defer<LocalReader>();
      vi.mocked(LocalReader.open).mockReturnValueOnce(late.promise);
      vi.mocked(ServerReader.open).mockResolvedValue(server as unknown as ServerReader);
      const offered = session.useServer();
      const retried = session.retryNetworks();
      await offered;
      late.resolve(own as unknown as LocalReader);
      await retried;
      expect([server.close.mock.calls.length, own.close.mock.calls.length]).toEqual([0, 1]);
      expect([session.phase.value, session.isRemote.value]).toEqual(["running", true]);
    });
  });

  it("says what the browser lacks, which no second try helps", async () => {
    vi.mocked(openCamera).mockResolvedValue(makeStream());
    await session.start();
    expect(session.obstacle.value).toEqual({
      message: "This browser cannot run the networks: it has no workers",
      isPassing: false,
    });
  });

  /** The ids of the cameras that were asked for; empty for the browser's choice. */
  function listWanted(): string[] {
    return vi
      .mocked(openCamera)
      .mock.calls.map(([wanted]) => (wanted?.deviceId as { exact: string } | undefined)?.exact ?? "");
  }

  it("opens the camera again that was lost, or that worked before one that did not start", async () => {
    const stream = makeStream("a");
    vi.mocked(openCamera).mockResolvedValue(stream);
    await session.start();
    stream.lose();
    expect(session.phase.value).toBe("failed");
    await session.start();
    vi.mocked(openCamera).mockRejectedValueOnce(new DOMException("", "NotReadableError"));
    await session.changeCamera("b");
    expect(session.phase.value).toBe("failed");
    await session.start();
    expect(listWanted()).toEqual(["", "a", "b", "a"]);
  });

  it.each(["OverconstrainedError", "NotFoundError"])("opens another camera after %s", async (name) => {
    vi.mocked(openCamera)
      .mockRejectedValueOnce(new DOMException("", name))
      .mockResolvedValueOnce(makeStream("a"));
    await session.start("gone");
    expect(listWanted()).toEqual(["gone", ""]);
    expect([session.phase.value, session.cameraId.value]).toEqual(["offer", "a"]);
  });

  it("cannot be paused before the camera runs", async () => {
    const late = defer<void>();
    vi.mocked(openCamera).mockResolvedValue(makeStream());
    VIDEO.play.mockReturnValue(late.promise);
    const started = session.start();
    await settle();
    session.togglePause();
    expect([session.isPaused.value, VIDEO.pause.mock.calls.length]).toEqual([false, 0]);
    late.resolve();
    await started;
    expect(session.phase.value).toBe("offer");
  });

  describe("that runs", () => {
    const reader = makeReader();
    const show = async (): Promise<void> => {
      VIDEO.requestVideoFrameCallback.mock.lastCall?.[0]();
      await settle();
    };

    beforeEach(async () => {
      vi.mocked(openCamera).mockImplementation(async () => makeStream());
      vi.mocked(ServerReader.open).mockResolvedValue(reader as unknown as ServerReader);
      reader.read.mockResolvedValue({ time_s: 0, faces: [makeFace()] } as unknown as Frame);
      await session.start();
      await session.useServer();
      await show();
    });

    it("ends its recording with the camera, and keeps the rows", async () => {
      session.toggleRecording();
      await show();
      expect([session.isRecording.value, session.rows.value]).toEqual([true, 1]);
      await session.changeCamera("b");
      await show();
      expect([session.isRecording.value, session.rows.value]).toEqual([false, 1]);
      expect(session.recording.rows).toBe(1);
    });

    it("ends a recording that is full, and says so until the next one", async () => {
      session.toggleRecording();
      vi.spyOn(session.recording, "add").mockReturnValue(false);
      await show();
      expect([session.isRecording.value, session.isFull.value]).toEqual([false, true]);
      session.toggleRecording();
      expect([session.isRecording.value, session.isFull.value]).toEqual([true, false]);
    });

    it("leaves no face over the stage when the camera changes", async () => {
      await show();
      expect(draw.mock.lastCall?.[0]).toHaveLength(1);
      vi.mocked(openCamera).mockReturnValueOnce(defer<MediaStream>().promise);
      void session.changeCamera("b");
      expect(draw.mock.lastCall?.[0]).toEqual([]);
    });

    it("draws no face of an upright picture over a wide one", async () => {
      await show();
      expect(draw.mock.lastCall?.[0]).toHaveLength(1);
      const late = defer<Frame>();
      reader.read.mockReturnValueOnce(late.promise);
      await show();
      Object.assign(VIDEO, { videoWidth: 360 });
      await show();
      expect(draw.mock.lastCall?.[0]).toEqual([]);
      late.resolve({ time_s: 0, faces: [makeFace()] } as unknown as Frame); // of the picture from before
      await settle();
      session.redraw();
      expect(draw.mock.lastCall?.[0]).toEqual([]);
      Object.assign(VIDEO, { videoWidth: 640 });
    });

    describe("and is looked after", () => {
      let now = performance.now();
      const check = (afterMs: number): boolean => {
        now += afterMs;
        session.checkPace();
        return session.isSilent.value;
      };

      beforeEach(async () => {
        vi.spyOn(performance, "now").mockImplementation(() => now);
        await show();
        check(0);
      });

      afterEach(() => vi.restoreAllMocks());

      it("is silent when no pictures come for a while", () => {
        expect([2000, 1500, 1000].map(check)).toEqual([false, false, true]);
      });

      it("is not silent after a pause", () => {
        session.togglePause();
        for (let i = 0; i < 20; i++) check(500);
        session.togglePause();
        expect(check(400)).toBe(false);
      });

      it("is not silent when the page was hidden", () => {
        const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
        for (let i = 0; i < 20; i++) check(1000);
        hidden.mockReturnValue(false);
        expect(check(400)).toBe(false);
      });

      it("is not silent when the computer slept", () => {
        expect(check(60_000)).toBe(false);
        expect([2000, 1500, 1000].map(check)).toEqual([false, false, true]);
      });
    });

    it("draws the faces of a paused picture where they were, however long ago", async () => {
      await show();
      session.togglePause();
      const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 60_000);
      session.redraw();
      expect(draw.mock.lastCall?.[0]).toEqual([makeFace()]);
      session.togglePause();
      session.redraw();
      expect(draw.mock.lastCall?.[0]).toEqual([]); // pictures come again, and that answer is too old for them
      clock.mockRestore();
    });

    it("draws what is read of a picture after it was paused", async () => {
      const late = defer<Frame>();
      reader.read.mockReturnValue(late.promise);
      await show();
      session.togglePause();
      draw.mockClear();
      late.resolve({ time_s: 0, faces: [makeFace(), makeFace()] } as unknown as Frame);
      await settle();
      expect(draw.mock.lastCall?.[0]).toHaveLength(2);
    });

    it("is said to stand still while it is paused", async () => {
      await show();
      await show();
      session.checkPace();
      expect(session.pace.value.shown).toBeGreaterThan(0);
      session.togglePause();
      session.checkPace();
      expect([session.pace.value.shown, session.pace.value.read]).toEqual([0, 0]);
    });
  });
});

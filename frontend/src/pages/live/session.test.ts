// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { closeCamera, openCamera } from "../../ui/camera";
import { type PictureReader, ServerReader } from "./reader";
import { LiveSession } from "./session";

vi.mock("../../inference/client", () => ({ findObstacle: () => "it has no workers" }));
vi.mock("../../ui/camera");
vi.mock("./reader", () => ({ LocalReader: {}, ServerReader: { open: vi.fn() } }));

const VIDEO = { play: async () => {}, requestVideoFrameCallback: () => 0, srcObject: null };

function makeStream(): MediaStream {
  const track = { addEventListener: () => {}, getSettings: () => ({ facingMode: "user" }) };
  return { getVideoTracks: () => [track] } as unknown as MediaStream;
}

function makeReader() {
  return { isRemote: true, describe: () => "", read: vi.fn(), reset: vi.fn(), close: vi.fn() };
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

  beforeEach(() => {
    vi.clearAllMocks();
    vi.stubGlobal("navigator", { mediaDevices: { enumerateDevices: async () => [] } });
    session = new LiveSession(VIDEO as unknown as HTMLVideoElement, () => {});
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
});

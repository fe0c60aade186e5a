// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Room } from "../../api/rooms";
import type { CameraPhase, CameraReader } from "./camera";
import { ROOM } from "./fakeroom";
import { FakeSocket } from "./fakesocket";
import { Participant } from "./participant";
import { TakePart } from "./TakePart";

const FACES: Room = { ...ROOM, kind: "expressions", question: null, options: ["happy", "none"], steps: 5 };

let root: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  FakeSocket.made = [];
  root = document.createElement("div");
});

afterEach(() => {
  render(null, root);
  vi.useRealTimers();
});

it("sends no counts that nobody sees any more: the camera was lost before they went", () => {
  const phase = signal<CameraPhase>("on");
  const camera = {
    phase,
    error: signal(null),
    stream: signal(null),
    latest: signal(null),
    progress: signal(1),
  };
  const participant = new Participant(FACES, "K7PM3Q");
  participant.takeCounts = () => ({ happy: 4 });
  act(() => render(<TakePart participant={participant} camera={camera as unknown as CameraReader} />, root));
  act(() => {
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: FACES, bucket: 3, ends_in_s: 10 });
  });
  expect(root.textContent).toContain("Happy 4 of 5");
  act(() => {
    phase.value = "failed";
  });
  vi.advanceTimersByTime(10_000);
  expect(FakeSocket.last.messages.at(-1)).toEqual({ type: "expressions", counts: {} });
  participant.close();
});

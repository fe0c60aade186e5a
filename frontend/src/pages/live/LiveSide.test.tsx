// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Frame } from "../../api/types";
import { EMOJI } from "../../generated/vocabulary";
import { announce } from "../../ui/announce";
import { LiveSide } from "./LiveSide";
import { StageNote } from "./StageNote";
import type { LiveSession, Phase } from "./session";

vi.mock("../../ui/announce");
vi.mock("./MinuteChart", () => ({
  MinuteChart: ({ isRead }: { isRead: boolean }) => (isRead ? "The chart says something." : null),
}));

let root: HTMLElement;

beforeEach(() => {
  vi.mocked(announce).mockClear();
  root = document.createElement("div");
});

afterEach(() => render(null, root));

const said = () => vi.mocked(announce).mock.calls.map(([text]) => text);

function makeSession() {
  return {
    phase: signal<Phase>("camera"),
    frame: signal<Frame | null>(null),
    progress: signal(0),
    pace: signal({ shown: 0, read: 0, delayMs: 0 }),
    means: signal(""),
    isRemote: signal(false),
    isSilent: signal(false),
    isPaused: signal(false),
    isFull: signal(false),
    history: { knows: () => true },
  };
}

it("says nothing of anybody before a picture was read, nor when the camera is off", () => {
  const session = makeSession();
  vi.spyOn(performance, "now").mockReturnValue(10_000);
  act(() =>
    render(<LiveSide session={session as unknown as LiveSession} chosen={null} onChoose={() => {}} />, root),
  );
  for (const phase of ["networks", "running"] as const) {
    act(() => {
      session.phase.value = phase;
    });
    expect(root.textContent).toContain("Nothing is read yet.");
    expect(root.textContent).not.toContain("The chart");
  }
  const face = { track: 1, emotion: "happy", confidence: 0.9, probabilities: { happy: 0.9 } };
  act(() => {
    session.frame.value = { faces: [face] } as unknown as Frame;
  });
  expect(root.textContent).toContain("The chart says something.");
  vi.mocked(performance.now).mockReturnValue(20_000);
  act(() => {
    session.frame.value = { faces: [] } as unknown as Frame;
  });
  expect(root.textContent).toContain("Nobody is in the picture.");
  vi.mocked(performance.now).mockReturnValue(30_000);
  act(() => {
    session.frame.value = { faces: [face] } as unknown as Frame;
  });
  vi.mocked(performance.now).mockReturnValue(40_000);
  act(() => {
    session.phase.value = "idle";
    session.frame.value = null;
  });
  expect(said()).toEqual(["happy", "Nobody is in the picture", "happy"]);
});

it("tells a screen reader what it waits for, once, however far the networks are", () => {
  const session = makeSession();
  act(() => render(<StageNote session={session as unknown as LiveSession} />, root));
  act(() => {
    session.phase.value = "networks";
  });
  for (const share of [0.2, 0.7, 1]) {
    act(() => {
      session.progress.value = share;
    });
  }
  expect(root.querySelector('[role="status"]')).toBeNull();
  expect(root.textContent).toBe("Getting ready");
  act(() => {
    session.phase.value = "running";
  });
  act(() => {
    session.isSilent.value = true;
  });
  act(() => {
    session.isFull.value = true;
  });
  expect(said()).toEqual([
    "Waiting for the camera. The browser may ask for it.",
    "Fetching the networks",
    "The networks are ready",
    "The camera sends no pictures. Is it covered or in use?",
    "The recording is full and has ended",
  ]);
});

it("says that nobody is there only when no face is framed", () => {
  const session = makeSession();
  session.phase.value = "running";
  vi.spyOn(performance, "now").mockReturnValue(10_000);
  session.frame.value = { faces: [{ track: null }] } as unknown as Frame;
  act(() =>
    render(<LiveSide session={session as unknown as LiveSession} chosen={null} onChoose={() => {}} />, root),
  );
  expect(root.textContent).toContain("Somebody is in the picture.");
  expect(said()).toEqual([]);
});

it("draws and colours what it says, not what has the largest share of the moment", () => {
  const session = makeSession();
  session.phase.value = "running";
  const steady = { track: 1, emotion: "happy", confidence: 0.4, probabilities: { happy: 0.4, sad: 0.6 } };
  const open = { ...steady, track: 2, emotion: null };
  session.frame.value = { faces: [steady, open] } as unknown as Frame;
  act(() =>
    render(<LiveSide session={session as unknown as LiveSession} chosen={1} onChoose={() => {}} />, root),
  );
  expect(root.querySelector(".live-now img")?.getAttribute("src")).toBe(EMOJI.happy);
  const tones = [...root.querySelectorAll(".live-people button")].map((button) => button.className);
  expect(tones).toEqual(["", "tone-happy", "tone-sad"]);
});

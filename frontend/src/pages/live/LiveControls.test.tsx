// @vitest-environment happy-dom
import { signal } from "@preact/signals";
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { LiveControls, RecordingNotice } from "./LiveControls";
import type { LiveSession } from "./session";

it("says of a full recording that it is, while the camera is on and when it is off", () => {
  const session = {
    phase: signal("running"),
    isPaused: signal(false),
    isRecording: signal(false),
    isFull: signal(false),
    rows: signal(200_000),
    cameras: signal([]),
  } as unknown as LiveSession;
  const view = { mirror: false, emoji: false, chosen: null };
  const root = document.createElement("div");
  act(() =>
    render(
      <>
        <LiveControls session={session} view={view} onView={() => {}} onStop={() => {}} />
        <RecordingNotice session={session} />
      </>,
      root,
    ),
  );
  const hint = () => root.querySelector(".live-hint")?.textContent;
  const notice = () => root.querySelector(".notice-text")?.textContent;
  expect(hint()).toBe("Kept until you record again or leave this page.");
  expect(notice()).not.toContain("full");
  act(() => {
    session.isFull.value = true;
  });
  expect(hint()).toBe("The recording is full. Kept until you record again or leave this page.");
  expect(notice()).toContain("The recording is full. Numbers only, no pictures;");
  render(null, root);
});

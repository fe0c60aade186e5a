// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { findRoom } from "../../api/rooms";
import { announce } from "../../ui/announce";
import { keepFocus } from "../../ui/focus";
import { ROOM } from "./fakeroom";
import { FakeSocket } from "./fakesocket";
import RoomPage from "./RoomPage";

vi.mock("../../api/rooms");
vi.mock("../../ui/announce");

const HAND = { id: "h1", name: "Ada", at_s: 3 };

let main: HTMLElement;
let stop: () => void;

beforeEach(async () => {
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("scrollTo", () => {});
  vi.mocked(findRoom).mockResolvedValue(ROOM);
  vi.mocked(announce).mockClear();
  FakeSocket.made = [];
  document.body.innerHTML = '<main tabindex="-1"></main>';
  main = document.querySelector("main") as HTMLElement;
  stop = keepFocus(main);
  act(() => render(<RoomPage params={{ code: "K7PM3Q" }} />, main));
  await act(async () => {});
});

afterEach(() => {
  render(null, main);
  stop();
});

/** Presses a button as a keyboard does, with the focus on it; what has the focus then. */
async function press(name: string): Promise<string> {
  const button = [...main.querySelectorAll("button")].find(
    (candidate) => candidate.textContent?.trim() === name,
  );
  button?.focus();
  await act(async () => button?.click());
  return nameFocus();
}

const nameFocus = (): string => {
  const focused = document.activeElement;
  return focused?.getAttribute("aria-label") ?? focused?.textContent ?? "";
};

it("goes on with the keyboard where a page is replaced: declined, looked at again, left", async () => {
  expect(await press("No, thanks")).toBe("You did not join");
  expect(await press("Look again")).toBe("Graphs");
  expect(await press("Agree and join")).toBe("Graphs");
  expect(await press("Leave")).toBe("You have left");
});

it("stores nothing of who does not join", async () => {
  localStorage.clear();
  sessionStorage.clear();
  await press("No, thanks");
  expect([localStorage.length, sessionStorage.length]).toEqual([0, 0]);
});

it("says that somebody is in the room when the server has let them in", async () => {
  await press("Agree and join");
  expect(announce).not.toHaveBeenCalled();
  act(() => {
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 3, ends_in_s: 10 });
  });
  expect(vi.mocked(announce).mock.calls).toEqual([["You are in the room"]]);
});

it("keeps the keyboard at the hand that is raised and lowered", async () => {
  await press("Agree and join");
  act(() => {
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 3, ends_in_s: 10 });
  });
  await press("Raise");
  await act(async () => FakeSocket.last.say({ type: "hand", hand: HAND }));
  expect(nameFocus()).toBe("Your hand");
  expect(await press("Lower it")).toBe("Your hand");
});

/** Presses a key, with the focus on what a selector finds. */
async function type(key: string, selector: string): Promise<void> {
  const element = main.querySelector<HTMLElement>(selector);
  element?.focus();
  await act(async () => void element?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })));
}

it("answers by digits while the focus is among the answers, and nowhere else", async () => {
  await press("Agree and join");
  const chosen = () => main.querySelector('.choice[aria-pressed="true"] .choice-name')?.textContent;
  for (const place of ["h1", "input", "summary"]) await type("2", place);
  expect(chosen()).toBeUndefined();
  await type("2", ".choice");
  expect(chosen()).toBe("slow down");
  expect(await press("Take it back")).toBe("Your answer");
  await type("1", ".choices");
  expect(chosen()).toBe("lost");
  await type("0", ".choices");
  expect(chosen()).toBeUndefined();
});

it("names the answer that is chosen, and marks it by more than its colour", async () => {
  await press("Agree and join");
  act(() => {
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 3, ends_in_s: 10 });
  });
  await type("2", ".choice");
  expect(main.querySelector(".choice-foot")?.textContent).toContain(
    "You say “slow down”. It holds for 5 min.",
  );
  const marked = [...main.querySelectorAll(".choice:has(.choice-check)")];
  expect(marked.map((choice) => choice.getAttribute("aria-pressed"))).toEqual(["true"]);
});

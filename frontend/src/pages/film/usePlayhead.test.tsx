// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Playhead, usePlayhead } from "./usePlayhead";

let root: HTMLElement;
let playhead: Playhead;

beforeEach(() => {
  root = document.createElement("div");
});

afterEach(() => render(null, root));

function Player({ player, start }: { player: HTMLVideoElement | null; start: number }) {
  playhead = usePlayhead(player, start);
  return null;
}

function show(player: HTMLVideoElement | null, start: number): void {
  act(() => render(<Player player={player} start={start} />, root));
}

/** Where a player stands; happy-dom's plays nothing. */
function makePlayer(): HTMLVideoElement {
  return document.createElement("video");
}

it("tells the time of the film, of whose first frame the player knows nothing", () => {
  const player = makePlayer();
  show(player, 0);
  show(player, 1.5); // the timeline comes later than the player
  expect(playhead.time).toBe(1.5);
  act(() => playhead.seek(3.5));
  expect([playhead.time, player.currentTime]).toEqual([3.5, 2]);
  player.currentTime = 4;
  act(() => void player.dispatchEvent(new Event("timeupdate")));
  expect(playhead.time).toBe(5.5);
  act(() => playhead.seek(1.4999));
  expect([playhead.time, player.currentTime]).toEqual([1.5, 0]);
});

it("goes on where it was with another player", () => {
  show(makePlayer(), 0);
  act(() => playhead.seek(2));
  show(null, 0);
  act(() => playhead.seek(2.5));
  const next = makePlayer();
  show(next, 0);
  expect([playhead.time, next.currentTime]).toEqual([2.5, 2.5]);
  next.currentTime = 3;
  act(() => void next.dispatchEvent(new Event("timeupdate")));
  expect(playhead.time).toBe(3);
});

it("tells no time that runs: while a film plays, the one that it was put to last", () => {
  const player = makePlayer();
  let isPaused = false;
  Object.defineProperty(player, "paused", { get: () => isPaused });
  const reach = (time: number, event: string): void => {
    player.currentTime = time;
    act(() => void player.dispatchEvent(new Event(event)));
  };
  show(player, 0);
  act(() => playhead.seek(2));
  reach(2.5, "timeupdate");
  expect([playhead.time, playhead.told]).toEqual([2.5, 2]);
  isPaused = true;
  reach(3, "pause");
  expect([playhead.time, playhead.told]).toEqual([3, 3]);
});

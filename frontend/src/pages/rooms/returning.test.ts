// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Room } from "../../api/rooms";
import { FakeSocket } from "./fakesocket";
import { readToken } from "./messages";
import { Participant } from "./participant";

const ROOM = {
  id: "r1",
  kind: "pulse",
  bucket_s: 10,
  hold_s: 300,
  steps: 1,
  expires_at: Date.now() / 1000 + 3600,
} as Room;
const TOO_MANY = {
  type: "error",
  error: { code: "web.too_many", message: "1024 connections of this address are open already", advice: "" },
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  FakeSocket.made = [];
  localStorage.clear();
  sessionStorage.clear();
});

afterEach(() => {
  vi.useRealTimers();
});

function welcome(room: Room): void {
  FakeSocket.last.open();
  FakeSocket.last.say({ type: "welcome", room, bucket: 3, ends_in_s: 10 });
}

describe("a connection that is one too many", () => {
  it("is made again later by whoever was in the room: their own dead ones are counted for a while", () => {
    const participant = new Participant(ROOM, "K7PM3Q");
    welcome(ROOM);
    FakeSocket.last.close();
    for (const waitMs of [1000, 2000, 4000]) {
      vi.advanceTimersByTime(waitMs);
      FakeSocket.last.open();
      FakeSocket.last.say(TOO_MANY);
      FakeSocket.last.close();
      expect([participant.phase.value, participant.connection.value.status]).toEqual(["in", "lost"]);
    }
    vi.advanceTimersByTime(8000);
    expect(FakeSocket.made).toHaveLength(5);
    welcome(ROOM);
    expect(participant.connection.value.status).toBe("open");
    participant.close();
  });

  it("is the end for whoever was in none", () => {
    const participant = new Participant(ROOM, "K7PM3Q");
    FakeSocket.last.open();
    FakeSocket.last.say(TOO_MANY);
    FakeSocket.last.close();
    vi.advanceTimersByTime(120_000);
    expect([participant.phase.value, FakeSocket.made.length]).toEqual(["failed", 1]);
  });
});

it("sends nothing of what was read while the connection was lost", () => {
  const room: Room = { ...ROOM, kind: "expressions", question: null, steps: 5 };
  let read = 0;
  const participant = new Participant(room, "K7PM3Q");
  participant.takeCounts = () => {
    const counts = read > 0 ? { happy: read } : {};
    read = 0;
    return counts;
  };
  const listSent = () => FakeSocket.last.messages.filter(({ type }) => type === "expressions");
  welcome(room);
  vi.advanceTimersByTime(7100);
  read = 3;
  FakeSocket.last.close();
  vi.advanceTimersByTime(1000);
  welcome(room);
  expect(participant.pending.value?.counts).toEqual({});
  vi.advanceTimersByTime(7100);
  expect(listSent()).toEqual([{ type: "expressions", counts: {} }]);
  read = 2;
  FakeSocket.last.say({ type: "bucket", bucket: 5, ends_in_s: 10 });
  vi.advanceTimersByTime(7100);
  expect(listSent().at(-1)).toEqual({ type: "expressions", counts: { happy: 2 } });
  participant.close();
});

describe("the token", () => {
  const keptTokens = () => [localStorage, sessionStorage].map((storage) => storage.length);

  it("is the browser's while they are in the room, and the tab's once they left", () => {
    const participant = new Participant(ROOM, "K7PM3Q");
    const { token } = participant.greeting as { token: string };
    welcome(ROOM);
    participant.close(); // the page is closed
    expect(readToken(ROOM)).toBe(token);
    const again = new Participant(ROOM, "K7PM3Q");
    again.leave();
    expect(keptTokens()).toEqual([0, 1]);
    expect(readToken(ROOM)).toBe(token);
  });

  it.each(["ended", "room.ended", "room.unknown"])("is nobody's after %s", (end) => {
    new Participant(ROOM, "K7PM3Q");
    welcome(ROOM);
    const error = { code: end, message: "no", advice: "" };
    FakeSocket.last.say(end === "ended" ? { type: "ended" } : { type: "error", error });
    expect(keptTokens()).toEqual([0, 0]);
  });
});

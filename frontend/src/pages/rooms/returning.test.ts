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

  it("is taken out of every tab: who leaves in one has left in the others", () => {
    const other = new Participant(ROOM, "K7PM3Q");
    welcome(ROOM);
    const socket = FakeSocket.last;
    const storage = localStorage;
    const setItem = vi.fn((key: string, value: string) => storage.setItem(key, value));
    const removeItem = (key: string) => storage.removeItem(key);
    const getItem = (key: string) => storage.getItem(key);
    const leaving = new Participant(ROOM, "K7PM3Q");
    vi.stubGlobal("localStorage", { setItem, removeItem, getItem });
    leaving.leave();
    vi.stubGlobal("localStorage", storage);
    const [key, newValue] = setItem.mock.calls[0] ?? [];
    storage.setItem("fervid.room.r1", "that tab has joined again");
    window.dispatchEvent(new StorageEvent("storage", { key: "fervid.room.r1", newValue: null }));
    expect(other.phase.value).toBe("in"); // as where the room has ended: the server says so
    window.dispatchEvent(new StorageEvent("storage", { key, oldValue: "kept", newValue }));
    expect([other.phase.value, socket.messages.at(-1)]).toEqual(["left", { type: "leave" }]);
    expect([localStorage.length, sessionStorage.getItem("fervid.room.r1")]).toEqual([1, "kept"]);
  });

  it.each(["ended", "room.ended", "room.unknown"])("is nobody's after %s", (end) => {
    new Participant(ROOM, "K7PM3Q");
    welcome(ROOM);
    const error = { code: end, message: "no", advice: "" };
    FakeSocket.last.say(end === "ended" ? { type: "ended" } : { type: "error", error });
    expect(keptTokens()).toEqual([0, 0]);
  });
});

it("raises no hand while it is paused, and again when it goes on", () => {
  const participant = new Participant(ROOM, "K7PM3Q");
  const listRaised = () => FakeSocket.last.messages.filter(({ type }) => type === "hand").length;
  welcome(ROOM);
  participant.raise("Ada");
  FakeSocket.last.say({ type: "hand", hand: { id: "h1", name: "Ada", at_s: 3 } });
  participant.pause();
  FakeSocket.last.close();
  vi.advanceTimersByTime(1000);
  welcome(ROOM);
  expect([listRaised(), participant.hand.value]).toEqual([0, null]);
  participant.resume();
  expect(FakeSocket.last.messages.at(-1)).toEqual({ type: "hand", name: "Ada" });
  FakeSocket.last.say({ type: "hand", hand: { id: "h2", name: "Ada", at_s: 9 } });
  participant.pause();
  participant.resume();
  expect(listRaised()).toBe(1); // it never went down
  participant.close();
});

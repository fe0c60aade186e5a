// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Room, Row } from "../../api/rooms";
import { ROOM } from "./fakeroom";
import { FakeSocket } from "./fakesocket";
import { Host, takeKey } from "./host";
import { Participant } from "./participant";
import { drawDelay } from "./socket";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  FakeSocket.made = [];
  sessionStorage.clear();
});

afterEach(() => {
  vi.useRealTimers();
});

it("drawDelay doubles up to 30 s, ± 50 %", () => {
  expect([0, 1, 2, 3, 4, 5, 20].map((attempt) => drawDelay(attempt, () => 0.5))).toEqual([
    1, 2, 4, 8, 16, 30, 30,
  ]);
  expect(drawDelay(2, () => 0)).toBe(2);
  expect(drawDelay(20, () => 1)).toBe(45);
});

function join(room: Room = ROOM): Participant {
  const participant = new Participant(room, "K7PM3Q");
  FakeSocket.last.open();
  FakeSocket.last.say({ type: "welcome", room, bucket: 3, ends_in_s: 10 });
  return participant;
}

/** What was sent since the last call, without the greeting. */
function contributions(socket = FakeSocket.last): unknown[] {
  return socket.messages.filter(({ type }) => type === "pulse" || type === "expressions");
}

describe("a participant", () => {
  it("says who it is first, and sends once per bucket at a moment of its own", () => {
    const participant = join();
    expect(FakeSocket.last.messages[0]).toEqual({ type: "join", code: "K7PM3Q", token: expect.any(String) });
    vi.advanceTimersByTime(3400);
    expect(contributions()).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(contributions()).toEqual([{ type: "pulse", choice: null }]);
    vi.advanceTimersByTime(6400);
    FakeSocket.last.say({ type: "bucket", bucket: 4, ends_in_s: 10 });
    vi.advanceTimersByTime(9999);
    expect(contributions()).toHaveLength(2);
    participant.close();
  });

  it("sends a choice at once before its moment, and in the next bucket after it", () => {
    const participant = join();
    participant.choose("lost");
    participant.choose("fine");
    expect(contributions()).toEqual([{ type: "pulse", choice: "lost" }]);
    vi.advanceTimersByTime(9000);
    expect(contributions()).toHaveLength(1);
    FakeSocket.last.say({ type: "bucket", bucket: 4, ends_in_s: 10 });
    vi.advanceTimersByTime(3600);
    expect(contributions().at(-1)).toEqual({ type: "pulse", choice: "fine" });
    participant.close();
  });

  it("lets a choice lapse unless it is made again", () => {
    const participant = join();
    participant.choose("lost");
    for (let s = 0; s < 290; s += 10) {
      FakeSocket.last.say({ type: "bucket", bucket: 4 + s, ends_in_s: 10 });
      vi.advanceTimersByTime(10_000);
    }
    participant.choose("lost");
    FakeSocket.last.say({ type: "bucket", bucket: 900, ends_in_s: 10 });
    vi.advanceTimersByTime(20_000);
    expect(participant.choice.value).toBe("lost");
    for (let s = 0; s < 280; s += 10) {
      FakeSocket.last.say({ type: "bucket", bucket: 1000 + s, ends_in_s: 10 });
      vi.advanceTimersByTime(10_000);
    }
    expect(participant.choice.value).toBeNull();
    expect(participant.lapsesAt.value).toBeNull();
    participant.close();
  });

  it("lets a choice lapse that was made before the computer slept, during which timers stand still", () => {
    const participant = join();
    participant.choose("lost");
    vi.setSystemTime(Date.now() + 3_600_000);
    FakeSocket.last.say({ type: "bucket", bucket: 363, ends_in_s: 10 });
    vi.advanceTimersByTime(9000);
    expect(contributions()).toEqual([
      { type: "pulse", choice: "lost" },
      { type: "pulse", choice: null },
    ]);
    expect(participant.choice.value).toBeNull();
    participant.close();
  });

  it("sends nothing while it is paused, not even a choice", () => {
    const participant = join();
    participant.pause();
    participant.choose("lost");
    vi.advanceTimersByTime(9000);
    FakeSocket.last.say({ type: "bucket", bucket: 4, ends_in_s: 10 });
    vi.advanceTimersByTime(5000);
    expect(contributions()).toEqual([]);
    participant.resume();
    vi.advanceTimersByTime(5000);
    expect(contributions()).toEqual([{ type: "pulse", choice: "lost" }]);
    participant.close();
  });

  it("comes back with the same token, its choice and its hand", () => {
    const participant = join();
    participant.choose("lost");
    participant.raise("Ada");
    const first = FakeSocket.last;
    first.say({ type: "hand", hand: { id: "h", name: "Ada", at_s: 1 } });
    first.close();
    expect(participant.connection.value.status).toBe("lost");
    vi.advanceTimersByTime(900);
    expect(FakeSocket.last).toBe(first);
    vi.advanceTimersByTime(200);
    const second = FakeSocket.last;
    expect(second).not.toBe(first);
    second.open();
    expect(second.messages[0]).toEqual(first.messages[0]);
    second.say({ type: "welcome", room: ROOM, bucket: 4, ends_in_s: 10 });
    expect(second.messages[1]).toEqual({ type: "hand", name: "Ada" });
    vi.advanceTimersByTime(3600);
    expect(contributions(second)).toEqual([{ type: "pulse", choice: "lost" }]);
    participant.close();
  });

  it("waits longer after every loss, and shortly again once it was welcomed", () => {
    const participant = new Participant(ROOM, "K7PM3Q");
    const times = [1000, 2000, 4000].map((expected) => {
      FakeSocket.last.close();
      const count = FakeSocket.made.length;
      vi.advanceTimersByTime(expected - 1);
      expect(FakeSocket.made).toHaveLength(count);
      vi.advanceTimersByTime(2);
      return FakeSocket.made.length - count;
    });
    expect(times).toEqual([1, 1, 1]);
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 4, ends_in_s: 10 });
    const count = FakeSocket.made.length;
    FakeSocket.last.close();
    vi.advanceTimersByTime(1001);
    expect(FakeSocket.made).toHaveLength(count + 1);
    participant.close();
  });

  it("gives a connection up that is not made, nor refused", () => {
    const participant = new Participant(ROOM, "K7PM3Q");
    const first = FakeSocket.last;
    vi.advanceTimersByTime(11_900);
    expect(participant.connection.value.status).toBe("connecting");
    vi.advanceTimersByTime(200);
    expect([participant.connection.value.status, first.readyState]).toEqual(["lost", 3]);
    vi.advanceTimersByTime(1000);
    expect(FakeSocket.made).toHaveLength(2);
    participant.close();
  });

  it("makes a connection anew that hangs, when it is told to hurry", () => {
    const participant = new Participant(ROOM, "K7PM3Q");
    const first = FakeSocket.last;
    participant.hurry();
    expect([FakeSocket.made.length, first.readyState]).toEqual([2, 3]);
    expect(participant.connection.value.status).toBe("connecting");
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 4, ends_in_s: 10 });
    participant.hurry();
    expect(FakeSocket.made).toHaveLength(2);
    expect(participant.connection.value.status).toBe("open");
    participant.close();
  });

  it("gives a silent connection up", () => {
    const participant = join();
    vi.advanceTimersByTime(34_000);
    expect(participant.connection.value.status).toBe("open");
    vi.advanceTimersByTime(1500);
    expect(participant.connection.value.status).toBe("lost");
    expect(FakeSocket.last.readyState).toBe(3);
    participant.close();
  });

  it("forgets a hand that the host lowered", () => {
    const participant = join();
    participant.raise("Ada");
    FakeSocket.last.say({ type: "hand", hand: { id: "h", name: "Ada", at_s: 1 } });
    FakeSocket.last.say({ type: "hand", hand: null });
    expect(participant.hand.value).toBeNull();
    FakeSocket.last.close();
    vi.advanceTimersByTime(1001);
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 4, ends_in_s: 10 });
    expect(FakeSocket.last.messages).toHaveLength(1);
    participant.close();
  });

  it("stays when its hand is one too many, and does not raise it again by itself", () => {
    const participant = join();
    participant.raise("Ada");
    const error = { code: "room.full", message: "100 hands are raised", advice: "Try again." };
    FakeSocket.last.say({ type: "refused", error });
    expect([participant.phase.value, participant.refusal.value]).toEqual(["in", error]);
    FakeSocket.last.close();
    vi.advanceTimersByTime(1001);
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room: ROOM, bucket: 4, ends_in_s: 10 });
    expect(FakeSocket.last.messages).toHaveLength(1);
    participant.raise("Ada");
    expect(participant.refusal.value).toBeNull();
    participant.close();
  });

  it.each([
    ["room.full", "failed"],
    ["room.unknown", "failed"],
    ["room.ended", "ended"],
  ])("stops at %s", (code, phase) => {
    const participant = new Participant(ROOM, "K7PM3Q");
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "error", error: { code, message: "no", advice: "" } });
    FakeSocket.last.close();
    vi.advanceTimersByTime(120_000);
    expect(participant.phase.value).toBe(phase);
    expect(FakeSocket.made).toHaveLength(1);
  });

  it("comes back after a fault of the server", () => {
    const participant = join();
    FakeSocket.last.say({ type: "error", error: { code: "web.internal", message: "oh", advice: "" } });
    FakeSocket.last.close();
    vi.advanceTimersByTime(1001);
    expect(FakeSocket.made).toHaveLength(2);
    expect(participant.phase.value).toBe("in");
    participant.close();
  });

  it("leaves for good", () => {
    const participant = join();
    participant.leave();
    expect(FakeSocket.last.messages.at(-1)).toEqual({ type: "leave" });
    vi.advanceTimersByTime(120_000);
    expect(FakeSocket.made).toHaveLength(1);
    expect(participant.phase.value).toBe("left");
  });
});

describe("a participant whose expressions are read", () => {
  const room: Room = { ...ROOM, kind: "expressions", question: null, steps: 5 };
  it("shows counts before they go, and sends none of them when told so", () => {
    const participant = new Participant(room, "K7PM3Q");
    participant.takeCounts = () => ({ happy: 4 });
    FakeSocket.last.open();
    FakeSocket.last.say({ type: "welcome", room, bucket: 3, ends_in_s: 10 });
    expect(participant.pending.value?.counts).toEqual({ happy: 4 });
    vi.advanceTimersByTime(2900);
    expect(contributions()).toEqual([]);
    vi.advanceTimersByTime(4200);
    expect(contributions()).toEqual([{ type: "expressions", counts: { happy: 4 } }]);
    expect(participant.sent.value?.text).toBe('{"type":"expressions","counts":{"happy":4}}');
    vi.advanceTimersByTime(2900);
    FakeSocket.last.say({ type: "bucket", bucket: 4, ends_in_s: 10 });
    participant.withhold();
    vi.advanceTimersByTime(7100);
    expect(contributions().at(-1)).toEqual({ type: "expressions", counts: {} });
    participant.close();
  });
});

describe("a host", () => {
  const row: Row = {
    bucket: 1,
    start_s: 10,
    end_s: 20,
    contributors: 5,
    withheld: 0,
    why: null,
    returns_s: null,
    shares: { lost: 1 },
    intervals: null,
    lost: 5,
  };
  const snapshot = { type: "snapshot", room: ROOM, now_s: 25, present: 5, rows: [row], marks: [], hands: [] };

  it("shows its key first and keeps what it is told", () => {
    const host = new Host({ id: "r1", key: "k".repeat(22) });
    FakeSocket.last.open();
    expect(FakeSocket.last.messages).toEqual([{ type: "host", key: "k".repeat(22) }]);
    FakeSocket.last.say(snapshot);
    FakeSocket.last.say({ type: "row", row: { ...row, bucket: 2 } });
    FakeSocket.last.say({ type: "mark", mark: { id: "b", at_s: 20, text: "Trees" } });
    FakeSocket.last.say({ type: "mark", mark: { id: "a", at_s: 10, text: "Graphs" } });
    FakeSocket.last.say({ type: "hands", hands: [{ id: "h", name: "Ada", at_s: 3 }] });
    FakeSocket.last.say({ type: "present", present: 9 });
    expect(host.rows.value.map(({ bucket }) => bucket)).toEqual([1, 2]);
    expect(host.marks.value.map(({ text }) => text)).toEqual(["Graphs", "Trees"]);
    expect(host.present.value).toBe(9);
    expect(host.nowS).toBeCloseTo(25, 0);
    host.lower({ id: "h", name: "Ada", at_s: 3 });
    expect(host.hands.value).toEqual([]);
    expect(FakeSocket.last.messages.at(-1)).toEqual({ type: "lower", hand: "h" });
    host.close();
  });

  it("knows since when anybody is here", () => {
    const host = new Host({ id: "r1", key: "k".repeat(22) });
    FakeSocket.last.open();
    FakeSocket.last.say({ ...snapshot, present: 0 });
    for (const present of [1, 6, 0, 3]) {
      vi.advanceTimersByTime(1000);
      FakeSocket.last.say({ type: "present", present });
      expect(host.hereSinceS).toBeCloseTo(present === 3 ? 29 : 26);
    }
    host.close();
  });

  it("gives a silent connection up, and keeps one over which buckets come", () => {
    const host = new Host({ id: "r1", key: "k".repeat(22) });
    FakeSocket.last.open();
    FakeSocket.last.say(snapshot);
    for (let bucket = 3; bucket < 13; bucket++) {
      vi.advanceTimersByTime(10_000);
      FakeSocket.last.say({ type: "bucket", bucket, ends_in_s: 10 });
    }
    expect(host.connection.value.status).toBe("open");
    vi.advanceTimersByTime(35_001);
    expect(host.connection.value.status).toBe("lost");
    vi.advanceTimersByTime(1001);
    expect(FakeSocket.made).toHaveLength(2);
    host.close();
  });

  it("does not come back to a room that has ended or is deleted", () => {
    for (const goodbye of [
      { type: "ended", room: { ...ROOM, ended: true, code: null } },
      { type: "deleted" },
    ]) {
      const host = new Host({ id: "r1", key: "k".repeat(22) });
      FakeSocket.last.open();
      FakeSocket.last.say(snapshot);
      FakeSocket.last.say(goodbye);
      const count = FakeSocket.made.length;
      FakeSocket.last.close();
      vi.advanceTimersByTime(120_000);
      expect(FakeSocket.made).toHaveLength(count);
      expect([host.room.value?.ended, host.isDeleted.value]).toContain(true);
    }
  });
});

describe("takeKey", () => {
  it("takes the key out of the address bar and keeps it for this tab", () => {
    const key = "AbCdEfGhIjKlMnOpQrSt_-";
    history.replaceState(null, "", `/rooms/host/r1#${key}`);
    expect(takeKey("r1")).toBe(key);
    expect(location.hash).toBe("");
    expect(takeKey("r1")).toBe(key);
    expect(takeKey("r2")).toBeNull();
  });

  it("takes no other fragment for a key", () => {
    history.replaceState(null, "", "/rooms/host/r3#main");
    expect(takeKey("r3")).toBeNull();
    expect(location.hash).toBe("#main");
  });
});

// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Room } from "../../api/rooms";
import {
  buildContribution,
  cleanCode,
  cleanLine,
  draftToken,
  drawMoment,
  forgetOldTokens,
  forgetToken,
  isCode,
  makeToken,
  readCode,
  readToken,
  spaceCode,
  writeMessage,
} from "./messages";

const PULSE = { kind: "pulse" } as Room;
const EXPRESSIONS = { kind: "expressions" } as Room;

it("sends no tab that was pasted", () => {
  expect(cleanLine(" Graphs\tpart\v2 ")).toBe("Graphs part 2");
  expect(cleanLine("\t\u007f")).toBe("");
});

describe("contributions", () => {
  it("hold the choice and nothing else", () => {
    expect(writeMessage(buildContribution(PULSE, "lost", {}))).toBe('{"type":"pulse","choice":"lost"}');
    expect(writeMessage(buildContribution(PULSE, null, { happy: 5 }))).toBe('{"type":"pulse","choice":null}');
  });

  it("hold counts and no choice where expressions are read", () => {
    expect(writeMessage(buildContribution(EXPRESSIONS, "lost", { happy: 3, neutral: 1 }))).toBe(
      '{"type":"expressions","counts":{"happy":3,"neutral":1}}',
    );
  });
});

describe("drawMoment", () => {
  it("is in the first 70 % of what is left of the bucket", () => {
    expect(drawMoment(10, "pulse", () => 0)).toBe(0);
    expect(drawMoment(10, "pulse", () => 1)).toBeCloseTo(7);
    expect(drawMoment(2, "pulse", () => 0.5)).toBeCloseTo(0.7);
    expect(drawMoment(-1, "pulse", () => 0.5)).toBe(0);
  });

  it("leaves time to see counts before they go", () => {
    expect(drawMoment(10, "expressions", () => 0)).toBeCloseTo(3);
    expect(drawMoment(10, "expressions", () => 1)).toBeCloseTo(7);
  });
});

describe("tokens", () => {
  beforeEach(() => {
    localStorage.clear();
    sessionStorage.clear();
  });

  it("are what the server takes, and differ", () => {
    const tokens = Array.from({ length: 50 }, makeToken);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(new Set(tokens).size).toBe(50);
  });

  const expires_at = Date.now() / 1000 + 3600;
  const [a, b] = [
    { id: "a", expires_at },
    { id: "b", expires_at },
  ];

  it("stay for a room in all tabs of this browser, and differ between rooms", () => {
    const token = readToken(a);
    sessionStorage.clear(); // as in another tab
    expect(readToken(a)).toBe(token);
    expect(readToken(b)).not.toBe(token);
    localStorage.setItem("fervid.room.a", "not a token!");
    expect(readToken(a)).toMatch(/^[\w-]{22}$/);
  });

  it("are forgotten by who leaves, but for the tab in which they may join again", () => {
    const token = readToken(a);
    forgetToken("a", true);
    expect(localStorage.getItem("fervid.room.a")).toBeNull();
    expect(readToken(a)).toBe(token);
    forgetToken("a", true);
    sessionStorage.clear();
    expect(readToken(a)).not.toBe(token);
  });

  it("are forgotten when their room has ended, or its time is over", () => {
    readToken(a);
    forgetToken("a", true);
    forgetToken("a");
    expect([localStorage.length, sessionStorage.length]).toEqual([0, 0]);
    readToken({ id: "old", expires_at: Date.now() / 1000 - 1 });
    localStorage.setItem("fervid.theme", "dark");
    readToken(a);
    expect(localStorage.getItem("fervid.room.old")).toBeNull();
    expect([localStorage.getItem("fervid.theme"), localStorage.length]).toEqual(["dark", 2]);
  });

  it("are stored by who joins, and are those that were shown before", () => {
    const token = draftToken("a");
    expect([localStorage.length, sessionStorage.length]).toEqual([0, 0]);
    expect([draftToken("a"), readToken(a)]).toEqual([token, token]);
    expect(localStorage.getItem("fervid.room.a")).toContain(token);
  });

  it("are forgotten by any page of rooms that is opened after their room's time", () => {
    readToken({ id: "old", expires_at: Date.now() / 1000 - 1 });
    forgetOldTokens();
    expect(localStorage.length).toBe(0);
  });

  it("do without a storage", () => {
    vi.stubGlobal("localStorage", undefined);
    const token = draftToken("a");
    expect(token).toMatch(/^[\w-]{22}$/);
    expect(readToken(a)).toBe(token);
    forgetToken("a");
    forgetOldTokens();
    vi.unstubAllGlobals();
  });
});

describe("codes", () => {
  it("are read without regard to case, spaces and hyphens", () => {
    expect(cleanCode(" k7p-m3q ")).toBe("K7PM3Q");
    expect(readCode("k7p m3q")).toBe("K7PM3Q");
    expect(readCode("https://fervid.example.org/join/k7pm3q?x")).toBe("K7PM3Q");
    expect(spaceCode("K7PM3Q")).toBe("K7P M3Q");
  });

  it("have six characters that do not look alike", () => {
    expect(["K7PM3Q", "k7p m3q", "ZZZZ99"].map(isCode)).toEqual([true, true, true]);
    expect(["", "K7PM3", "K7PM3QQ", "K7PM3O", "K7PM31", "ILO01K"].some(isCode)).toBe(false);
  });
});

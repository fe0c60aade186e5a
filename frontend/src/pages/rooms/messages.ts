/** What a participant's page sends, when, and how it is written. */

import type { Choice, ParticipantSays, Room } from "../../api/rooms";
import type { Counts } from "./sampling";

/** A message as it goes over the wire; the consent page shows this very text. */
export function writeMessage(message: object): string {
  return JSON.stringify(message);
}

/** One line as the server takes it: what cannot be seen, such as a pasted tab, is a space. */
export function cleanLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ").trim();
}

/** The contribution to a bucket. */
export function buildContribution(room: Room, choice: Choice | null, counts: Counts): ParticipantSays {
  return room.kind === "expressions" ? { type: "expressions", counts } : { type: "pulse", choice };
}

/** Nobody's page speaks later than in this part of a bucket. */
const LATEST = 0.7;
/** Counts are shown for this part of a bucket before they go. */
const SHOWN = 0.3;

/**
 * When to send in a bucket, s from now: at random, so that five hundred pages do not speak at once.
 *
 * @param endsInS until the bucket is over, s.
 */
export function drawMoment(endsInS: number, kind: Room["kind"], random: () => number = Math.random): number {
  const earliest = kind === "expressions" ? SHOWN : 0;
  return Math.max(0, endsInS) * (earliest + (LATEST - earliest) * random());
}

/** Names this browser for one room and says nothing about it: 128 random bits in URL-safe base64. */
export function makeToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Of the names under which tokens are kept; each is followed by when its room's time is over, s since 1970. */
const KEPT = "fervid.room.";

/** Tokens of rooms that nobody has agreed to join yet: kept by this page alone. */
const drafts = new Map<string, string>();

/** The token with which this browser would join a room; nothing is stored of it. */
export function draftToken(roomId: string): string {
  const token = findToken(roomId) ?? drafts.get(roomId) ?? makeToken();
  drafts.set(roomId, token);
  return token;
}

/**
 * The token of this browser for a room, which it keeps: the same in every tab and after a reload; another browser is
 * another person.
 */
export function readToken(room: Pick<Room, "id" | "expires_at">): string {
  const token = draftToken(room.id);
  forgetOldTokens();
  try {
    localStorage.setItem(KEPT + room.id, `${token} ${room.expires_at}`);
    drafts.delete(room.id);
  } catch {
    // Without storage a reload is a new participant.
  }
  return token;
}

function findToken(roomId: string): string | undefined {
  const name = KEPT + roomId;
  try {
    const kept = localStorage.getItem(name) ?? sessionStorage.getItem(name) ?? "";
    return /^[\w-]{16,64}(?= |$)/.exec(kept)?.[0];
  } catch {
    return undefined; // there is no storage
  }
}

/** Stands in a token's place for the moment of leaving, so that the room's other tabs hear why it goes. */
const LEFT = "left";

/** Be told when somebody leaves a room in another tab of this browser. Answers what ends that. */
export function watchLeaving(roomId: string, onLeave: () => void): () => void {
  const name = KEPT + roomId;
  const hear = ({ key, oldValue, newValue }: StorageEvent): void => {
    if (key !== name || newValue !== LEFT) return;
    try {
      if (oldValue !== null) sessionStorage.setItem(name, oldValue); // as in the tab in which they left
    } catch {
      // It is not kept.
    }
    onLeave();
  };
  window.addEventListener("storage", hear);
  return () => window.removeEventListener("storage", hear);
}

/**
 * Forget the token of a room.
 *
 * @param isLeft that somebody left: the tabs that were there alone keep it, so that whoever joins again is nobody new, for whom the
 *   others of their crowd would have to wait. The room's other tabs are told.
 */
export function forgetToken(roomId: string, isLeft = false): void {
  const name = KEPT + roomId;
  if (!isLeft) drafts.delete(roomId);
  try {
    const kept = localStorage.getItem(name);
    if (isLeft) localStorage.setItem(name, LEFT);
    localStorage.removeItem(name);
    if (!isLeft) sessionStorage.removeItem(name);
    else if (kept !== null) sessionStorage.setItem(name, kept);
  } catch {
    // It was never kept.
  }
}

/** Forget the tokens of rooms whose time is over: most pages are closed before. */
export function forgetOldTokens(): void {
  try {
    const names = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i) ?? "");
    for (const name of names.filter((each) => each.startsWith(KEPT))) {
      const expiresAt = Number(localStorage.getItem(name)?.split(" ")[1]);
      if (!(1000 * expiresAt > Date.now())) localStorage.removeItem(name);
    }
  } catch {
    // None is kept.
  }
}

/** Letters and figures of a join code; those that look alike are in none. */
const CODE = /^[A-HJKMNP-Z2-9]{6}$/;

/** A code as it was typed, without what does not matter. */
export function cleanCode(text: string): string {
  return text.replace(/[\s-]/g, "").toUpperCase();
}

export function isCode(text: string): boolean {
  return CODE.test(cleanCode(text));
}

/** `K7PM3Q` → `K7P M3Q`, as it is read aloud. */
export function spaceCode(code: string): string {
  return code.replace(/^(.{3})(.{3})$/, "$1 $2");
}

/** What somebody typed or pasted into the field of codes: a code, or the whole address with one. */
export function readCode(text: string): string {
  const inAddress = /\/join\/([^/?#]+)/.exec(text);
  return cleanCode(inAddress?.[1] ?? text);
}

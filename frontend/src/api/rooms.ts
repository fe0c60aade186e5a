/** Rooms: their JSON and their routes; the protocol is docs/rooms.md. */

import type { Emotion } from "../generated/vocabulary";
import { request, send } from "./client";
import type { ErrorDetail } from "./types";

export type RoomKind = "pulse" | "expressions";
export type Question = "pace" | "mood";
export type Pace = "lost" | "slow_down" | "fine" | "speed_up";
/** What a participant may choose, or what is read; `none` is no answer. */
export type Option = Pace | Emotion | "none";
export type Choice = Exclude<Option, "none">;
export type Shares = Partial<Record<Option, number>>;

export interface Rules {
  kinds: Record<RoomKind, { allowed: boolean; error?: ErrorDetail }>;
  min_group: number;
  bucket_s: number;
  hold_s: number;
  steps: number;
  max_participants: number;
  room_hours: number;
}

export interface Room {
  id: string;
  /** Null once the room has ended. */
  code: string | null;
  kind: RoomKind;
  question: Question | null;
  title: string;
  /** In the order of the charts, `none` last. */
  options: Option[];
  min_group: number;
  bucket_s: number;
  hold_s: number;
  steps: number;
  max_participants: number;
  /** Seconds since 1970, as `expires_at`. */
  created_at: number;
  expires_at: number;
  ended: boolean;
}

/** What is shown of one bucket; times are seconds since the room was made. */
export interface Row {
  bucket: number;
  start_s: number;
  end_s: number;
  /** People in the sums; 0 when nothing may be shown. */
  contributors: number;
  /** People who contributed and are not in the sums. */
  withheld: number;
  why: "few" | "change" | null;
  returns_s: number | null;
  shares: Shares | null;
  intervals: Partial<Record<Option, [low: number, high: number]>> | null;
  lost: number | null;
}

export interface Mark {
  id: string;
  at_s: number;
  text: string;
}

export interface Hand {
  id: string;
  name: string;
  at_s: number;
}

export interface Snapshot {
  room: Room;
  now_s: number;
  present: number;
  rows: Row[];
  marks: Mark[];
  hands: Hand[];
}

export interface NewRoom {
  kind: RoomKind;
  question?: Question;
  title: string;
  min_group?: number;
}

export interface CreatedRoom {
  room: Room;
  key: string;
  host_path: string;
  join_path: string;
}

export type ParticipantSays =
  | { type: "join"; code: string; token: string }
  | { type: "pulse"; choice: Choice | null }
  | { type: "expressions"; counts: Partial<Record<Emotion, number>> }
  | { type: "hand"; name: string }
  | { type: "lower" }
  | { type: "leave" };

export type Counted = "crowd" | "waiting" | "held" | "already";

export type ParticipantHears =
  | { type: "welcome"; room: Room; bucket: number; ends_in_s: number }
  | { type: "bucket"; bucket: number; ends_in_s: number }
  | { type: "ack"; bucket: number; counted: Counted }
  | { type: "hand"; hand: Hand | null }
  | { type: "refused"; error: ErrorDetail }
  | { type: "unavailable"; error: ErrorDetail }
  | { type: "ended" }
  | { type: "error"; error: ErrorDetail };

export type HostSays =
  | { type: "host"; key: string }
  | { type: "mark"; text: string }
  | { type: "lower"; hand: string }
  | { type: "end" }
  | { type: "delete" };

export type HostHears =
  | ({ type: "snapshot" } & Snapshot)
  | { type: "row"; row: Row }
  | { type: "mark"; mark: Mark }
  | { type: "hands"; hands: Hand[] }
  | { type: "present"; present: number }
  | { type: "bucket"; bucket: number; ends_in_s: number }
  | { type: "ended"; room: Room }
  | { type: "deleted" }
  | { type: "refused"; error: ErrorDetail }
  | { type: "unavailable"; error: ErrorDetail }
  | { type: "error"; error: ErrorDetail };

export function fetchRules(signal?: AbortSignal): Promise<Rules> {
  return request("/rooms/rules", { signal: signal ?? null });
}

export function createRoom(room: NewRoom): Promise<CreatedRoom> {
  return request("/rooms", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(room),
  });
}

/** The room that a code lets into. */
export async function findRoom(code: string, signal?: AbortSignal): Promise<Room> {
  const path = `/rooms/join/${encodeURIComponent(code)}`;
  return (await request<{ room: Room }>(path, { signal: signal ?? null })).room;
}

/** A host's right to a room. */
export interface HostPass {
  id: string;
  key: string;
}

/** The address to join, as a picture. */
export async function fetchQrCode(pass: HostPass, signal?: AbortSignal): Promise<Blob> {
  return (await sendAsHost(pass, "/qr.svg", { signal: signal ?? null })).blob();
}

export type RoomExport = "export.csv" | "report.html";

/** The session as a file, and what the server calls it. */
export async function fetchExport(pass: HostPass, which: RoomExport): Promise<{ blob: Blob; name: string }> {
  const answer = await sendAsHost(pass, `/${which}`);
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1];
  return { blob: await answer.blob(), name: name ?? `fervid-room.${which.split(".")[1]}` };
}

export async function deleteRoom(pass: HostPass): Promise<void> {
  await sendAsHost(pass, "", { method: "DELETE" });
}

function sendAsHost({ id, key }: HostPass, path: string, init: RequestInit = {}): Promise<Response> {
  return send(`/rooms/${encodeURIComponent(id)}${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${key}` },
  });
}

/** A WebSocket that comes back by itself until somebody says that it is over. */

import { type Signal, signal } from "@preact/signals";
import { ApiError } from "../../api/errors";
import type { ErrorDetail } from "../../api/types";
import { writeMessage } from "./messages";

const LONGEST_S = 30;

/** The server speaks in every bucket; a connection over which nothing comes for so many is dead, which no browser tells. */
const SILENT_BUCKETS = 3.5;
/** The same before it is known how long buckets are, s. */
const FIRST_SILENCE_S = 35;
/** Browsers wait minutes for a server that does not even refuse a connection, s. */
const HANDSHAKE_S = 12;

/** How long to wait before try number `attempt` (0, 1, …), s: 1, 2, 4, … 30, each ± 50 % at random. */
export function drawDelay(attempt: number, random: () => number = Math.random): number {
  return Math.min(LONGEST_S, 2 ** attempt) * (0.5 + random());
}

/** Errors after which trying again by itself would be of no use. */
const FINAL = new Set([
  "room.unknown",
  "room.key",
  "room.ended",
  "room.full",
  "room.message",
  "room.expressions",
  "usage",
  "web.too_many",
  "web.too_large",
  "web.origin",
  "web.forbidden",
]);

export type Connection =
  | { status: "connecting" | "open" | "closed" }
  /** Lost; the next try is at that time, ms since 1970. */
  | { status: "lost"; retryAt: number };

interface Handlers<In> {
  /** The first message of every connection. */
  greet: () => object;
  onMessage: (message: In) => void;
  /** It is over, and why. */
  onError: (error: ApiError) => void;
}

export class RoomSocket<In extends { type: string }> {
  readonly connection: Signal<Connection> = signal({ status: "connecting" });
  private readonly path: string;
  private readonly handlers: Handlers<In>;
  private silenceS = FIRST_SILENCE_S;
  private socket: WebSocket | null = null;
  private attempt = 0;
  private wasWelcome = false;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string, handlers: Handlers<In>) {
    this.path = path;
    this.handlers = handlers;
    window.addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    this.open();
  }

  /** Whether it went out. */
  send(message: object): boolean {
    if (this.connection.value.status !== "open" || this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(writeMessage(message));
    return true;
  }

  /** Try now instead of later; a try that is under way may be on a line that is dead, and is begun anew. */
  readonly hurry = (): void => {
    const { status } = this.connection.value;
    if ((status !== "lost" && status !== "connecting") || document.hidden) return;
    clearTimeout(this.retry);
    const abandoned = this.socket;
    this.open();
    abandoned?.close();
  };

  /** The other side knows us, and its buckets are so long, s: the next loss starts with a short wait again. */
  settle(bucketS: number): void {
    this.attempt = 0;
    this.wasWelcome = true;
    this.silenceS = SILENT_BUCKETS * bucketS;
    this.watch();
    this.connection.value = { status: "open" };
  }

  close(): void {
    window.removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    clearTimeout(this.retry);
    clearTimeout(this.watchdog);
    this.connection.value = { status: "closed" };
    this.socket?.close(1000);
    this.socket = null;
  }

  private open(): void {
    this.connection.value = { status: "connecting" };
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    this.socket = socket;
    this.watch(HANDSHAKE_S);
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.watch();
      socket.send(writeMessage(this.handlers.greet()));
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.watch();
      this.take(String(data));
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lose();
    };
  }

  private take(text: string): void {
    const message = JSON.parse(text) as In | { type: "error"; error: ErrorDetail };
    if (message.type !== "error") {
      this.handlers.onMessage(message as In);
      return;
    }
    const { error } = message as { error: ErrorDetail };
    // Those of one address who come back all at once may find it full of their own dead connections, for a while.
    const isPassing = error.code === "web.too_many" && this.wasWelcome;
    if (isPassing || !FINAL.has(error.code)) return; // it closes now, and comes back
    this.close();
    this.handlers.onError(new ApiError(error, error.code === "web.too_many" ? 429 : 400));
  }

  private lose(): void {
    if (this.connection.value.status === "closed") return;
    clearTimeout(this.watchdog);
    this.socket = null;
    const delayMs = 1000 * drawDelay(this.attempt++);
    this.connection.value = { status: "lost", retryAt: Date.now() + delayMs };
    this.retry = setTimeout(() => this.open(), delayMs);
  }

  private watch(limitS = this.silenceS): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      const socket = this.socket;
      this.lose();
      socket?.close();
    }, 1000 * limitS);
  }
}

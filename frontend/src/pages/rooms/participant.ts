/** Somebody in a room: what they chose, when it is sent, what became of it. */

import { batch, computed, type Signal, signal } from "@preact/signals";
import type { ApiError } from "../../api/errors";
import type { Choice, Counted, Hand, ParticipantHears, ParticipantSays, Room } from "../../api/rooms";
import type { ErrorDetail } from "../../api/types";
import {
  buildContribution,
  drawMoment,
  forgetToken,
  readToken,
  watchLeaving,
  writeMessage,
} from "./messages";
import type { Counts } from "./sampling";
import { RoomSocket } from "./socket";

export type Phase = "in" | "left" | "ended" | "failed";

export interface Sent {
  /** The very text. */
  text: string;
  /** ms since 1970. */
  at: number;
}

export class Participant {
  readonly room: Room;
  readonly phase: Signal<Phase> = signal("in");
  /** Whether the server has let them in. */
  readonly isWelcome = signal(false);
  readonly error: Signal<ApiError | null> = signal(null);
  readonly choice: Signal<Choice | null> = signal(null);
  /** When the choice lapses, ms since 1970. */
  readonly lapsesAt: Signal<number | null> = signal(null);
  readonly isPaused = signal(false);
  /** What the server made of the last contribution; null before the first. */
  readonly counted: Signal<Exclude<Counted, "already"> | null> = signal(null);
  readonly sent: Signal<Sent | null> = signal(null);
  /** Counts that are about to be sent, and when, ms since 1970. */
  readonly pending: Signal<{ counts: Counts; at: number } | null> = signal(null);
  readonly hand: Signal<Hand | null> = signal(null);
  /** Why the hand could not be raised. */
  readonly refusal: Signal<ErrorDetail | null> = signal(null);
  /** A passing trouble of the server. */
  readonly trouble: Signal<string | null> = signal(null);
  /** Whether this bucket's contribution has not gone out yet. */
  readonly isDue = signal(false);
  /** Counts of what was read since the last call; rooms that read expressions only. */
  takeCounts: () => Counts = () => ({});

  private readonly code: string;
  private readonly token: string;
  private readonly socket: RoomSocket<ParticipantHears>;
  private readonly unwatch: () => void;
  /** The name of a hand that is to be up whenever there is a connection. */
  private handName: string | null = null;
  private bucketEndsAt = 0;
  private sending: ReturnType<typeof setTimeout> | undefined;
  private lapsing: ReturnType<typeof setTimeout> | undefined;

  constructor(room: Room, code: string) {
    this.room = room;
    this.code = code;
    this.token = readToken(room);
    this.unwatch = watchLeaving(room.id, () => {
      this.socket.send({ type: "leave" } satisfies ParticipantSays);
      this.close(); // what is stored is the affair of the tab in which they left
      this.show("left");
    });
    this.socket = new RoomSocket<ParticipantHears>(`/ws/rooms/${encodeURIComponent(room.id)}`, {
      greet: () => this.greeting,
      onMessage: (message) => this.take(message),
      onError: (error) => {
        this.rest();
        if (error.code === "room.ended" || error.code === "room.unknown") forgetToken(room.id);
        batch(() => {
          this.error.value = error;
          this.phase.value = error.code === "room.ended" ? "ended" : "failed";
        });
      },
    });
  }

  get connection() {
    return this.socket.connection;
  }

  get greeting(): ParticipantSays {
    return { type: "join", code: this.code, token: this.token };
  }

  /** What would be sent now. */
  readonly next = computed(() =>
    buildContribution(this.room, this.choice.value, this.pending.value?.counts ?? {}),
  );

  /** Answer, or take the answer back. The same answer again makes it last. */
  choose(choice: Choice | null): void {
    clearTimeout(this.lapsing);
    const lastsMs = 1000 * this.room.hold_s;
    batch(() => {
      this.choice.value = choice;
      this.lapsesAt.value = choice === null ? null : Date.now() + lastsMs;
    });
    if (choice !== null) this.lapsing = setTimeout(() => this.choose(null), lastsMs);
    if (this.isDue.value) this.contribute();
  }

  pause(): void {
    clearTimeout(this.sending);
    batch(() => {
      this.isPaused.value = true;
      this.pending.value = null;
      this.counted.value = null;
    });
  }

  resume(): void {
    this.isPaused.value = false;
    if (this.handName !== null && this.hand.value === null) this.raise(this.handName);
    if (this.isDue.value) this.schedule((this.bucketEndsAt - Date.now()) / 1000);
  }

  /** Send nothing of what was read in this bucket. */
  withhold(): void {
    if (this.pending.value) this.pending.value = { ...this.pending.value, counts: {} };
  }

  raise(name: string): void {
    this.handName = name;
    this.refusal.value = null;
    this.socket.send({ type: "hand", name } satisfies ParticipantSays);
  }

  lower(): void {
    this.handName = null;
    this.socket.send({ type: "lower" } satisfies ParticipantSays);
    this.hand.value = null;
  }

  leave(): void {
    this.socket.send({ type: "leave" } satisfies ParticipantSays);
    this.finish("left");
  }

  /** The page is closed; the room is not left. */
  close(): void {
    this.rest();
    this.socket.close();
  }

  hurry(): void {
    this.socket.hurry();
  }

  private take(message: ParticipantHears): void {
    switch (message.type) {
      case "welcome":
        this.socket.settle(message.room.bucket_s);
        this.isWelcome.value = true;
        this.takeCounts(); // what was read while nothing could be sent is not sent later
        this.begin(message.ends_in_s);
        if (this.isPaused.value)
          this.hand.value = null; // it went down with the connection, and goes up again later
        else if (this.handName !== null) this.raise(this.handName);
        break;
      case "bucket":
        this.trouble.value = null;
        this.begin(message.ends_in_s);
        break;
      case "ack":
        if (message.counted !== "already" && !this.isPaused.value) this.counted.value = message.counted;
        break;
      case "hand":
        if (message.hand === null) this.handName = null;
        this.hand.value = message.hand;
        break;
      case "refused":
        this.handName = null;
        this.refusal.value = message.error;
        break;
      case "unavailable":
        this.trouble.value = message.error.message;
        break;
      case "ended":
        this.finish("ended");
        break;
      case "error":
        break;
    }
  }

  /** A bucket opened; it is over in so many seconds. */
  private begin(endsInS: number): void {
    this.bucketEndsAt = Date.now() + 1000 * endsInS;
    this.isDue.value = true;
    if (!this.isPaused.value) this.schedule(endsInS);
  }

  private schedule(endsInS: number): void {
    clearTimeout(this.sending);
    const delayMs = 1000 * drawMoment(endsInS, this.room.kind);
    if (this.room.kind === "expressions") {
      this.pending.value = { counts: this.takeCounts(), at: Date.now() + delayMs };
    }
    this.sending = setTimeout(() => this.contribute(), delayMs);
  }

  private contribute(): void {
    clearTimeout(this.sending);
    if (this.isPaused.value || this.phase.value !== "in") return;
    // Timers stand still while a computer sleeps: what was said before must not be sent to whoever is there by now.
    if (this.lapsesAt.value !== null && Date.now() >= this.lapsesAt.value) {
      this.choose(null);
      return;
    }
    const message = this.next.value;
    if (!this.socket.send(message)) return;
    batch(() => {
      this.isDue.value = false;
      this.pending.value = null;
      this.sent.value = { text: writeMessage(message), at: Date.now() };
    });
  }

  private finish(phase: "left" | "ended"): void {
    this.close();
    forgetToken(this.room.id, phase === "left");
    this.show(phase);
  }

  private show(phase: "left" | "ended"): void {
    batch(() => {
      this.phase.value = phase;
      this.hand.value = null;
    });
  }

  private rest(): void {
    this.unwatch();
    clearTimeout(this.sending);
    clearTimeout(this.lapsing);
    this.pending.value = null;
  }
}

/** The host's end of a room: what is known of it now. */

import { batch, type Signal, signal } from "@preact/signals";
import type { ApiError } from "../../api/errors";
import {
  deleteRoom,
  type Hand,
  type HostHears,
  type HostPass,
  type HostSays,
  type Mark,
  type Room,
  type Row,
} from "../../api/rooms";
import type { ErrorDetail } from "../../api/types";
import { addRow } from "./rows";
import { RoomSocket } from "./socket";

export class Host {
  readonly pass: HostPass;
  readonly room: Signal<Room | null> = signal(null);
  readonly rows: Signal<Row[]> = signal([]);
  readonly marks: Signal<Mark[]> = signal([]);
  readonly hands: Signal<Hand[]> = signal([]);
  readonly present = signal(0);
  /** When somebody came and nobody was here, s since the room was made. */
  hereSinceS = 0;
  readonly error: Signal<ApiError | null> = signal(null);
  /** A passing trouble of the server. */
  readonly trouble: Signal<string | null> = signal(null);
  /** Why the last mark was not set. */
  readonly refusal: Signal<ErrorDetail | null> = signal(null);
  readonly isDeleted = signal(false);
  private readonly socket: RoomSocket<HostHears>;
  /** The clock of this page when the room was made, ms. */
  private madeAt = 0;

  constructor(pass: HostPass) {
    this.pass = pass;
    this.socket = new RoomSocket<HostHears>(`/ws/rooms/${encodeURIComponent(pass.id)}/host`, {
      greet: (): HostSays => ({ type: "host", key: pass.key }),
      onMessage: (message) => this.take(message),
      onError: (error) => {
        this.error.value = error;
      },
    });
  }

  get connection() {
    return this.socket.connection;
  }

  /** Seconds since the room was made, by the server's clock as far as it is known. */
  get nowS(): number {
    return (performance.now() - this.madeAt) / 1000;
  }

  mark(text: string): boolean {
    this.refusal.value = null;
    return this.socket.send({ type: "mark", text } satisfies HostSays);
  }

  lower(hand: Hand): void {
    if (this.socket.send({ type: "lower", hand: hand.id } satisfies HostSays)) {
      this.hands.value = this.hands.value.filter((other) => other.id !== hand.id);
    }
  }

  end(): boolean {
    return this.socket.send({ type: "end" } satisfies HostSays);
  }

  /** Delete the room; works also when it has ended. Throws what stands in the way. */
  async delete(): Promise<void> {
    await deleteRoom(this.pass);
    this.finish();
  }

  hurry(): void {
    this.socket.hurry();
  }

  close(): void {
    this.socket.close();
  }

  private take(message: HostHears): void {
    switch (message.type) {
      case "snapshot":
        this.socket.settle(message.room.bucket_s);
        this.madeAt = performance.now() - 1000 * message.now_s;
        batch(() => {
          this.room.value = message.room;
          this.rows.value = message.rows;
          this.marks.value = message.marks;
          this.hands.value = message.hands;
          this.count(message.present);
          this.trouble.value = null;
        });
        break;
      case "row":
        this.trouble.value = null;
        this.rows.value = addRow(this.rows.value, message.row);
        break;
      case "mark":
        if (!this.marks.value.some((mark) => mark.id === message.mark.id)) {
          this.marks.value = [...this.marks.value, message.mark].sort((a, b) => a.at_s - b.at_s);
        }
        break;
      case "hands":
        this.hands.value = message.hands;
        break;
      case "present":
        this.count(message.present);
        break;
      case "bucket": // the connection lives
        break;
      case "refused":
        this.refusal.value = message.error;
        break;
      case "unavailable":
        this.trouble.value = message.error.message;
        break;
      case "ended":
        this.socket.close();
        batch(() => {
          this.room.value = message.room;
          this.hands.value = [];
          this.present.value = 0;
        });
        break;
      case "deleted":
        this.finish();
        break;
      case "error":
        break;
    }
  }

  private count(present: number): void {
    if (this.present.value === 0 && present > 0) this.hereSinceS = this.nowS;
    this.present.value = present;
  }

  private finish(): void {
    this.socket.close();
    batch(() => {
      this.isDeleted.value = true;
      this.rows.value = [];
      this.marks.value = [];
      this.hands.value = [];
    });
  }
}

/** A host's key: 128 bits in URL-safe base64. */
const KEY = /^[\w-]{22}$/;

/**
 * The key of a host's page: behind # in its address, or kept from there for this tab.
 *
 * It is taken out of the address bar, which an audience sees on the wall.
 */
export function takeKey(id: string): string | null {
  const name = `fervid.host.${id}`;
  const given = location.hash.slice(1);
  try {
    if (!KEY.test(given)) return sessionStorage.getItem(name);
    sessionStorage.setItem(name, given);
    history.replaceState(history.state, "", location.pathname);
    return given;
  } catch {
    return KEY.test(given) ? given : null; // without storage it stays in the address
  }
}

export function forgetKey(id: string): void {
  try {
    sessionStorage.removeItem(`fervid.host.${id}`);
  } catch {
    // It was never kept.
  }
}

/** Films on their way to the server; they go on while other pages are shown. */

import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type FilmOptions, fetchHealth, uploadFilm } from "../../api/client";
import { type ApiError, toApiError } from "../../api/errors";
import type { Job } from "../../api/types";
import { currentPath, navigate } from "../../app/router";
import { announce } from "../../ui/announce";
import { refuseSize } from "./wording";

export interface Upload {
  readonly id: number;
  readonly film: File;
  readonly annotated: boolean;
  /** Whether it is on its way; the others wait for their turn. */
  readonly isSending: Signal<boolean>;
  /** 0–1. */
  readonly sent: Signal<number>;
  /** Seconds until the film has arrived; null before that can be told. */
  readonly secondsLeft: Signal<number | null>;
  readonly error: Signal<ApiError | null>;
  readonly signal: AbortSignal;
  readonly cancel: () => void;
}

const all = signal<readonly Upload[]>([]);
export const uploads: ReadonlySignal<readonly Upload[]> = all;
let nextId = 1;

/** Send a film when those before it have arrived: side by side each would take longer, and the server has other guests. */
export function startUpload(film: File, annotated: boolean): void {
  const abort = new AbortController();
  const upload: Upload = {
    id: nextId++,
    film,
    annotated,
    isSending: signal(false),
    sent: signal(0),
    secondsLeft: signal<number | null>(null),
    error: signal<ApiError | null>(null),
    signal: abort.signal,
    cancel: () => {
      abort.abort();
      removeUpload(upload);
    },
  };
  all.value = [...all.value, upload];
  guardLeaving();
  sendNext();
}

function sendNext(): void {
  if (all.value.some((upload) => upload.isSending.value)) return;
  const next = all.value.find((upload) => upload.error.value === null);
  if (next) void send(next);
}

/** Its page opens when it has arrived, no other is on its way, and the list of films is still shown. */
async function send(upload: Upload): Promise<void> {
  const { film, annotated } = upload;
  const began = performance.now();
  const onProgress = (share: number): void => {
    upload.sent.value = share;
    const elapsed = (performance.now() - began) / 1000;
    upload.secondsLeft.value = share > 0.01 && elapsed > 1 ? (elapsed * (1 - share)) / share : null;
  };
  upload.isSending.value = true;
  try {
    const job = await sendFilm(film, { annotated, signal: upload.signal, onProgress });
    removeUpload(upload);
    announce(`${film.name} has arrived`);
    if (currentPath.value === "/film" && all.value.length === 0) navigate(`/film/${job.id}`);
  } catch (reason) {
    upload.error.value = toApiError(reason);
    guardLeaving();
  } finally {
    upload.isSending.value = false;
    sendNext();
  }
}

/** Send what the server takes; what is too large is refused before it is on its way for an hour. */
async function sendFilm(film: File, options: FilmOptions): Promise<Job> {
  const health = await fetchHealth(options.signal);
  const refusal = refuseSize(film.size, health.limits);
  if (refusal) throw refusal;
  return uploadFilm(film, options);
}

export function removeUpload(upload: Upload): void {
  all.value = all.value.filter((other) => other !== upload);
  guardLeaving();
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

/** The browser asks before the page is left while a film is on its way. */
function guardLeaving(): void {
  const busy = all.value.some((upload) => upload.error.value === null);
  if (busy) window.addEventListener("beforeunload", warn);
  else window.removeEventListener("beforeunload", warn);
}

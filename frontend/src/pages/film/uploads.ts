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
  /** 0–1. */
  readonly sent: Signal<number>;
  /** Seconds until the film has arrived; null before that can be told. */
  readonly secondsLeft: Signal<number | null>;
  readonly error: Signal<ApiError | null>;
  readonly cancel: () => void;
}

const all = signal<readonly Upload[]>([]);
export const uploads: ReadonlySignal<readonly Upload[]> = all;
let nextId = 1;

/** Send a film; its page opens when it has arrived and the list of films is still shown. */
export function startUpload(film: File, annotated: boolean): void {
  const abort = new AbortController();
  const upload: Upload = {
    id: nextId++,
    film,
    annotated,
    sent: signal(0),
    secondsLeft: signal<number | null>(null),
    error: signal<ApiError | null>(null),
    cancel: () => {
      abort.abort();
      removeUpload(upload);
    },
  };
  all.value = [...all.value, upload];
  guardLeaving();
  const started = performance.now();
  const onProgress = (share: number): void => {
    upload.sent.value = share;
    const elapsed = (performance.now() - started) / 1000;
    upload.secondsLeft.value = share > 0.01 && elapsed > 1 ? (elapsed * (1 - share)) / share : null;
  };
  sendFilm(film, { annotated, signal: abort.signal, onProgress })
    .then((job) => {
      removeUpload(upload);
      announce(`${film.name} has arrived`);
      if (currentPath.value === "/film" && all.value.length === 0) navigate(`/film/${job.id}`);
    })
    .catch((reason: unknown) => {
      const error = toApiError(reason);
      if (error) upload.error.value = error;
      guardLeaving();
    });
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

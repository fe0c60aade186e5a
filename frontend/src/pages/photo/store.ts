/** The photos of this page: they live in its memory, and go to the server once to be read. */

import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { analyseImage } from "../../api/client";
import { type ApiError, toApiError } from "../../api/errors";
import type { Analysis, Annotation } from "../../api/types";
import { announce } from "../../ui/announce";
import { decodeBase64 } from "../../ui/download";
import { describeFace } from "../../ui/expression";
import { formatCount } from "../../ui/format";

export type PhotoState =
  | { kind: "waiting" }
  | { kind: "reading" }
  | { kind: "read"; analysis: Analysis }
  | { kind: "failed"; error: ApiError };

export interface Photo {
  readonly id: number;
  readonly name: string;
  readonly blob: Blob;
  readonly url: string;
  readonly state: Signal<PhotoState>;
  /** Ends what is asked of the server about it. */
  readonly abort: AbortController;
}

/** Pictures that are read at the same time; the server has other guests. */
const AT_ONCE = 2;
const ATTEMPTS = 4;

const all = signal<readonly Photo[]>([]);
const chosen = signal<number | null>(null);
const refused = signal<readonly string[]>([]);
let nextId = 1;
let active = 0;

export const photos: ReadonlySignal<readonly Photo[]> = all;
/** The id of the photo that is shown. */
export const chosenPhoto = chosen;
/** Names of files that are no pictures. */
export const refusedFiles: ReadonlySignal<readonly string[]> = refused;

/** Take pictures in; the first of them is shown. */
export function addPhotos(files: readonly File[]): void {
  const pictures = files.filter(
    (file) => file.type.startsWith("image/") || /\.(heic|tiff?|webp|avif)$/i.test(file.name),
  );
  refused.value = files.filter((file) => !pictures.includes(file)).map((file) => file.name);
  const added = pictures.map(
    (file): Photo => ({
      id: nextId++,
      name: file.name || "pasted.png",
      blob: file,
      url: URL.createObjectURL(file),
      state: signal<PhotoState>({ kind: "waiting" }),
      abort: new AbortController(),
    }),
  );
  const first = added[0];
  if (!first) return;
  all.value = [...all.value, ...added];
  chosen.value = first.id;
  announce(`${added.length === 1 ? first.name : formatCount(added.length, "photo")} added`);
  readWaiting();
}

export function removePhoto(photo: Photo): void {
  const index = all.value.indexOf(photo);
  forget(photo);
  all.value = all.value.filter((other) => other !== photo);
  if (chosen.value === photo.id) chosen.value = (all.value[index] ?? all.value[index - 1])?.id ?? null;
  announce(`${photo.name} removed`);
}

export function removeAllPhotos(): void {
  for (const photo of all.value) forget(photo);
  all.value = [];
  chosen.value = null;
  refused.value = [];
  announce("All photos removed");
}

function forget(photo: Photo): void {
  photo.abort.abort();
  URL.revokeObjectURL(photo.url);
}

/** Read a photo that failed once more. */
export function rereadPhoto(photo: Photo): void {
  photo.state.value = { kind: "waiting" };
  readWaiting();
}

function readWaiting(): void {
  while (active < AT_ONCE) {
    const photo = all.value.find((candidate) => candidate.state.value.kind === "waiting");
    if (!photo) return;
    active += 1;
    photo.state.value = { kind: "reading" };
    void readPhoto(photo).finally(() => {
      active -= 1;
      readWaiting();
    });
  }
}

async function readPhoto(photo: Photo): Promise<void> {
  const { signal } = photo.abort;
  for (let attempt = 1; all.value.includes(photo); attempt++) {
    try {
      const answer = await analyseImage(photo.blob, { evidence: true, signal });
      if (signal.aborted) return;
      // The server knows the upload's name at most; the page knows the file's.
      const analysis: Analysis = { ...answer, source: photo.name };
      photo.state.value = { kind: "read", analysis };
      announce(`${photo.name}: ${describeAnalysis(analysis)}`);
      return;
    } catch (reason) {
      const error = toApiError(reason);
      if (!error || signal.aborted) return;
      const busy = error.status === 429 || error.status === 503;
      if (!busy || attempt === ATTEMPTS) {
        photo.state.value = { kind: "failed", error };
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(10, error.retryAfterS ?? attempt)));
    }
  }
}

/** `2 faces: happy 97 %, uncertain: sad 31 %`. */
export function describeAnalysis(analysis: Analysis): string {
  const count = analysis.faces.length;
  if (count === 0) return "no face found";
  const shown = analysis.faces.slice(0, 4).map(describeFace).join(", ");
  return `${formatCount(count, "face")}: ${shown}${count > 4 ? " and others" : ""}`;
}

const drawn = new WeakMap<Photo, Map<Annotation, Promise<Blob>>>();

/** The photo as the server draws it; asked for once. */
export function drawPhoto(photo: Photo, annotated: Exclude<Annotation, "none">): Promise<Blob> {
  const known = drawn.get(photo) ?? new Map<Annotation, Promise<Blob>>();
  drawn.set(photo, known);
  const drawing =
    known.get(annotated) ??
    analyseImage(photo.blob, {
      annotated,
      evidence: annotated === "explain",
      signal: photo.abort.signal,
    }).then((answer) => {
      if (!answer.annotated) throw new Error("The server sent no picture");
      return decodeBase64(answer.annotated.data, answer.annotated.media_type);
    });
  known.set(annotated, drawing);
  drawing.catch(() => known.delete(annotated));
  return drawing;
}

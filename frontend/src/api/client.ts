/** Requests to the server that this page came from. */

import { ApiError, fileError, networkError, readError } from "./errors";
import type { Annotation, Health, ImageAnswer, Job, JobFile } from "./types";

const ROOT = "/api/v1";

export function fetchHealth(signal?: AbortSignal): Promise<Health> {
  return request("/health", { signal: signal ?? null });
}

export interface ImageOptions {
  labels?: 6 | 7;
  evidence?: boolean;
  annotated?: Annotation;
  signal?: AbortSignal;
}

/** Find the faces of a picture and read them. */
export async function analyseImage(picture: Blob, options: ImageOptions = {}): Promise<ImageAnswer> {
  const form = new FormData();
  form.append("image", picture, picture instanceof File ? picture.name : "picture");
  const query = writeQuery({
    labels: options.labels,
    evidence: options.evidence,
    annotated: options.annotated,
  });
  try {
    return await request(`/images${query}`, { method: "POST", body: form, signal: options.signal ?? null });
  } catch (reason) {
    if (reason instanceof ApiError && reason.code === "network") throw await explainLoss(picture);
    throw reason;
  }
}

export interface FilmOptions {
  labels?: 6 | 7;
  every_s?: number;
  smooth_s?: number;
  annotated?: boolean;
  signal?: AbortSignal;
  /** Called with the share of the film that has arrived, 0–1. */
  onProgress?: (share: number) => void;
}

/** Hand a film over; the answer is the job that reads it. */
export function uploadFilm(film: File, options: FilmOptions = {}): Promise<Job> {
  const { signal, onProgress, ...query } = options;
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("video", film, film.name);
    const transfer = new XMLHttpRequest(); // fetch cannot say how much has been sent
    const abort = (): void => transfer.abort();
    signal?.addEventListener("abort", abort);
    transfer.upload.onprogress = (event) => {
      if (event.lengthComputable && event.total > 0) onProgress?.(event.loaded / event.total);
    };
    transfer.onload = () => {
      if (transfer.status >= 200 && transfer.status < 300) {
        try {
          resolve(JSON.parse(transfer.responseText).job);
          return;
        } catch {
          // An answer that is no JSON is an error like any other.
        }
      }
      reject(readError(transfer.status, transfer.responseText, transfer.getResponseHeader("Retry-After")));
    };
    transfer.onerror = () => void explainLoss(film).then(reject);
    transfer.onabort = () => reject(new DOMException("The upload was cancelled", "AbortError"));
    transfer.onloadend = () => signal?.removeEventListener("abort", abort);
    transfer.open("POST", `${ROOT}/videos${writeQuery(query)}`);
    if (signal?.aborted) transfer.onabort(new ProgressEvent("abort"));
    else transfer.send(form);
  });
}

/** Why a file did not arrive: of one that they cannot read, browsers say no more than of a lost connection. */
async function explainLoss(file: Blob): Promise<ApiError> {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return fileError();
  }
  return networkError();
}

export async function fetchJobs(signal?: AbortSignal): Promise<Job[]> {
  return (await request<{ jobs: Job[] }>("/videos", { signal: signal ?? null })).jobs;
}

export function fetchJob(id: string, signal?: AbortSignal): Promise<Job> {
  return requestJob(`/videos/${encodeURIComponent(id)}`, { signal: signal ?? null });
}

export function cancelJob(id: string): Promise<Job> {
  return requestJob(`/videos/${encodeURIComponent(id)}/cancel`, { method: "POST" });
}

export function retryJob(id: string): Promise<Job> {
  return requestJob(`/videos/${encodeURIComponent(id)}/retry`, { method: "POST" });
}

export async function deleteJob(id: string): Promise<void> {
  await send(`/videos/${encodeURIComponent(id)}`, { method: "DELETE" });
}

async function requestJob(path: string, init: RequestInit): Promise<Job> {
  return (await request<{ job: Job }>(path, init)).job;
}

/** A JSON file of a job. */
export async function fetchJobFile<T>(job: Job, name: string, signal?: AbortSignal): Promise<T> {
  const file = job.files.find((candidate) => candidate.name === name);
  if (!file) {
    throw new ApiError({
      code: "web.not_found",
      message: `This film has no ${name}`,
      advice: "Read it again.",
    });
  }
  return readJson(await fetchAnswer(file.url, { signal: signal ?? null }));
}

/** Throws why a file of a job cannot be had. */
export async function checkFile(file: JobFile): Promise<void> {
  // One byte of it: the server takes no HEAD there.
  const answer = await fetchAnswer(file.url, { headers: { Range: "bytes=0-0" }, cache: "no-store" });
  await answer.body?.cancel();
}

/** The JSON that the API answers with. */
export async function request<T>(path: string, init: RequestInit): Promise<T> {
  return readJson(await send(path, init));
}

async function readJson<T>(answer: Response): Promise<T> {
  const body = await receive(answer.text());
  try {
    return JSON.parse(body);
  } catch {
    throw readError(answer.status, "");
  }
}

/** The API's answer; an error when it is one. */
export function send(path: string, init: RequestInit): Promise<Response> {
  return fetchAnswer(ROOT + path, init);
}

async function fetchAnswer(url: string, init: RequestInit): Promise<Response> {
  const answer = await receive(fetch(url, init));
  if (answer.ok) return answer;
  throw readError(answer.status, await receive(answer.text()), answer.headers.get("Retry-After"));
}

/** An answer, or what is still to come of one. */
async function receive<T>(coming: Promise<T>): Promise<T> {
  try {
    return await coming;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw networkError();
  }
}

function writeQuery(values: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text && `?${text}`;
}

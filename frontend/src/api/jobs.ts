/** A job as it changes: server-sent events, and questions at intervals where those do not come through. */

import { fetchJob } from "./client";
import { type ApiError, toApiError } from "./errors";
import type { Job, JobStatus } from "./types";

const POLL_MS = 2000;

/** Whether nothing more happens to the job by itself. */
export function isSettled(status: JobStatus): boolean {
  return status === "done" || status === "failed" || status === "cancelled";
}

export interface JobWatcher {
  onJob: (job: Job) => void;
  /** The job cannot be asked about; where it is temporary, questions go on. */
  onError: (error: ApiError) => void;
}

/** Follow a job until it settles or the returned function is called. */
export function watchJob(id: string, watcher: JobWatcher): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    clearTimeout(timer);
    events?.close();
  };
  const take = (job: Job): void => {
    if (stopped) return;
    watcher.onJob(job);
    if (isSettled(job.status)) stop();
  };
  const poll = async (): Promise<void> => {
    try {
      take(await fetchJob(id));
    } catch (reason) {
      const error = toApiError(reason);
      if (error && !stopped) watcher.onError(error);
      if (error && !error.isTemporary) stop();
    }
    if (!stopped) timer = setTimeout(poll, POLL_MS);
  };
  const events =
    typeof EventSource === "undefined"
      ? null
      : new EventSource(`/api/v1/videos/${encodeURIComponent(id)}/events`);
  if (events) {
    events.addEventListener("job", (event: MessageEvent<string>) => {
      take((JSON.parse(event.data) as { job: Job }).job);
    });
    events.onerror = () => {
      events.close();
      if (!stopped) void poll();
    };
  } else {
    void poll();
  }
  return stop;
}

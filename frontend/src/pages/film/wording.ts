/** What is said of a job. */

import { ApiError } from "../../api/errors";
import type { Health, Job } from "../../api/types";
import { formatBytes, formatClock, formatPercent, formatTimeLeft } from "../../ui/format";

/** Where a job stands, in a few words. */
export function describeStatus(job: Job): string {
  switch (job.status) {
    case "queued":
      return "Waiting for its turn";
    case "running": {
      const left = job.seconds_left === null ? "" : `, ${formatTimeLeft(job.seconds_left)}`;
      return `${formatPercent(job.progress)} read${left}`;
    }
    case "done":
      return job.duration_s === null ? "Read" : `Read · ${formatClock(job.duration_s)}`;
    case "failed":
      return `Failed: ${job.error?.message ?? "the server does not say why"}`;
    case "cancelled":
      return "Cancelled";
  }
}

/** A day and time, as the reader's system writes them. */
export function formatMoment(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** What a file of a film is called on its button. */
export function nameFile(name: string): string {
  const names: Record<string, string> = {
    "annotated.mp4": "Annotated film",
    "frames.csv": "CSV",
    "frames.jsonl": "JSON lines",
    "frames.parquet": "Parquet",
    "summary.json": "Summary",
    "timeline.png": "Timeline as a picture",
    "timeline.json": "Timeline as data",
  };
  return names[name] ?? name;
}

/** Why a film is not worth sending; null when it is. */
export function refuseSize(bytes: number, limits: Health["limits"]): ApiError | null {
  const most = (limits?.max_film_mb ?? Number.POSITIVE_INFINITY) * 1e6;
  if (bytes <= most) return null;
  return new ApiError({
    code: "web.too_large",
    message: `The film has ${formatBytes(bytes)}, and this server takes ${formatBytes(most)}`,
    advice: "Cut it, or make it smaller.",
  });
}

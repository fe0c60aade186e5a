/** The films that the server has. */

import { useEffect, useState } from "preact/hooks";
import { cancelJob, deleteJob, fetchJobs, retryJob } from "../../api/client";
import { type ApiError, toApiError } from "../../api/errors";
import { isSettled } from "../../api/jobs";
import type { Job } from "../../api/types";
import { announce } from "../../ui/announce";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { ProgressBar } from "../../ui/ProgressBar";
import { describeStatus, formatMoment } from "./wording";

const POLL_MS = 1500;

export function JobList({ arrivals }: { arrivals: number }) {
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  /** Why the last action was not done; the next answer to the list knows nothing of it. */
  const [refusal, setRefusal] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  const [doomed, setDoomed] = useState<Job | null>(null);

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const found = await fetchJobs(abort.signal);
        setJobs(found);
        setError(null);
        if (!found.every((job) => isSettled(job.status))) timer = setTimeout(ask, POLL_MS);
      } catch (reason) {
        const failure = toApiError(reason);
        if (!failure) return;
        setError(failure);
        if (failure.isTemporary) timer = setTimeout(ask, 3 * POLL_MS);
      }
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [round, arrivals]);

  const act = async (action: () => Promise<unknown>, said: string): Promise<void> => {
    setRefusal(null);
    try {
      await action();
      announce(said);
    } catch (reason) {
      setRefusal(toApiError(reason));
    }
    setRound((value) => value + 1);
  };

  if (error && jobs === null) return <ErrorNotice error={error} onRetry={() => setRound(round + 1)} />;
  if (!jobs || (jobs.length === 0 && !error && !refusal)) return null;
  return (
    <section class="job-list" aria-label="Films on the server">
      <h2>Films on the server</h2>
      {error && <ErrorNotice error={error} onRetry={() => setRound(round + 1)} />}
      {refusal && <ErrorNotice error={refusal} />}
      <ul>
        {jobs.map((job) => (
          <li key={job.id} class="job card">
            <div class="job-text">
              <a class="job-name" href={`/film/${job.id}`}>
                {job.name}
              </a>
              <p class="soft numbers" data-failed={job.status === "failed"}>
                {describeStatus(job)} · {formatMoment(job.created)}
              </p>
              {job.status === "running" && <ProgressBar value={job.progress} label={`Reading ${job.name}`} />}
            </div>
            <div class="button-row">
              {(job.status === "failed" || job.status === "cancelled") && (
                <button
                  type="button"
                  class="button button-small"
                  aria-label={`Read again: ${job.name}`}
                  onClick={() => act(() => retryJob(job.id), `${job.name} is read again`)}
                >
                  Read again
                </button>
              )}
              {isSettled(job.status) ? (
                <button
                  type="button"
                  class="button button-small button-quiet"
                  aria-label={`Delete ${job.name}`}
                  onClick={() => setDoomed(job)}
                >
                  Delete
                </button>
              ) : (
                <button
                  type="button"
                  class="button button-small"
                  aria-label={`Cancel ${job.name}`}
                  onClick={() => act(() => cancelJob(job.id), `${job.name} was cancelled`)}
                >
                  Cancel
                </button>
              )}
            </div>
          </li>
        ))}
      </ul>
      {doomed && (
        <ConfirmDialog
          title="Delete this film?"
          text={`${doomed.name} and everything that was read from it go from the server at once.`}
          action="Delete"
          onConfirm={() => act(() => deleteJob(doomed.id), `${doomed.name} was deleted`)}
          onClose={() => setDoomed(null)}
        />
      )}
    </section>
  );
}

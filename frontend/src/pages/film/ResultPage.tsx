/** One film: how far it is, and what was read when that is over. */

import { useEffect, useRef, useState } from "preact/hooks";
import { cancelJob, deleteJob, retryJob } from "../../api/client";
import { type ApiError, toApiError } from "../../api/errors";
import { isSettled, watchJob } from "../../api/jobs";
import type { Job } from "../../api/types";
import type { PageProps } from "../../app/pages";
import { navigate } from "../../app/router";
import { announce } from "../../ui/announce";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { formatClock, formatPercent, formatTimeLeft } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { ProgressBar } from "../../ui/ProgressBar";
import { FilmResult } from "./FilmResult";
import "./film.css";
import { formatMoment } from "./wording";

export default function ResultPage({ params }: PageProps) {
  const id = params.id ?? "";
  const { job, error, watchAgain } = useJob(id);
  /** Why the last action was not done; how the job goes on says nothing of it. */
  const [refusal, setRefusal] = useState<ApiError | null>(null);
  const [doomed, setDoomed] = useState(false);

  const act = async (action: () => Promise<unknown>): Promise<void> => {
    setRefusal(null);
    try {
      await action();
      watchAgain();
    } catch (reason) {
      setRefusal(toApiError(reason));
    }
  };
  const remove = async (): Promise<void> => {
    setRefusal(null);
    try {
      await deleteJob(id);
      announce("The film was deleted");
      navigate("/film", { replace: true });
    } catch (reason) {
      setRefusal(toApiError(reason));
    }
  };

  return (
    <div class="page">
      <header class="page-head">
        <div class="page-heading">
          <p>
            <a href="/film">All films</a>
          </p>
          <h1 class="film-name">{job?.name ?? "Film"}</h1>
          {job && (
            <p class="soft">
              {job.duration_s !== null && `${formatClock(job.duration_s)} · `}
              {formatMoment(job.created)}
              {job.expires && ` · kept until ${formatMoment(job.expires)}`}
            </p>
          )}
        </div>
        {job && isSettled(job.status) && (
          <button type="button" class="button button-quiet" onClick={() => setDoomed(true)}>
            <Icon name="trash" /> Delete
          </button>
        )}
      </header>

      {error && <ErrorNotice error={error} onRetry={error.isTemporary ? watchAgain : undefined} />}
      {refusal && <ErrorNotice error={refusal} />}
      {!job && !error && <div class="page-loading" aria-busy="true" />}
      {job && !isSettled(job.status) && <Running job={job} onCancel={() => act(() => cancelJob(id))} />}
      {job?.status === "failed" && (
        <ErrorNotice error={job.error ?? { message: "The film could not be read" }}>
          <button type="button" class="button" onClick={() => act(() => retryJob(id))}>
            <Icon name="retry" /> Read again
          </button>
        </ErrorNotice>
      )}
      {job?.status === "cancelled" && (
        <div class="notice">
          <Icon name="info" />
          <div class="notice-text">
            <p class="notice-title">Reading was cancelled.</p>
            <div class="button-row">
              <button type="button" class="button" onClick={() => act(() => retryJob(id))}>
                <Icon name="retry" /> Read again
              </button>
            </div>
          </div>
        </div>
      )}
      {job?.status === "done" && <FilmResult key={job.id} job={job} />}
      {job && doomed && (
        <ConfirmDialog
          title="Delete this film?"
          text={`${job.name} and everything that was read from it go from the server at once.`}
          action="Delete"
          onConfirm={remove}
          onClose={() => setDoomed(false)}
        />
      )}
    </div>
  );
}

function Running({ job, onCancel }: { job: Job; onCancel: () => void }) {
  const waiting = job.status === "queued";
  return (
    <section class="card running" aria-label="Progress">
      <p class="running-title">
        <span class="spinner" aria-hidden="true" />
        {waiting ? "Waiting for its turn" : `Reading faces: ${formatPercent(job.progress)}`}
      </p>
      <ProgressBar value={job.progress} label={`Reading ${job.name}`} />
      <div class="running-foot">
        <p class="soft">
          {job.seconds_left !== null && !waiting
            ? formatTimeLeft(job.seconds_left)
            : "You can leave this page; reading goes on."}
        </p>
        <button type="button" class="button button-small" onClick={onCancel}>
          Cancel
        </button>
      </div>
    </section>
  );
}

/** The job as it changes; told to a screen reader when it settles. */
function useJob(id: string) {
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  const before = useRef<Job | null>(null); // what is watched again may have changed meanwhile
  useEffect(() => {
    return watchJob(id, {
      onJob: (next) => {
        setJob(next);
        setError(null);
        const known = before.current?.id === next.id ? before.current.status : next.status;
        if (known !== next.status) announce(`${next.name}: ${next.status}`);
        before.current = next;
      },
      onError: setError,
    });
  }, [id, round]);
  return { job, error, watchAgain: () => setRound((value) => value + 1) };
}

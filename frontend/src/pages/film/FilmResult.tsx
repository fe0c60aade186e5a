/** What was read of a film: the annotated film, everybody's timeline, and figures. */

import { useEffect, useState } from "preact/hooks";
import { fetchJobFile } from "../../api/client";
import { type ApiError, toApiError } from "../../api/errors";
import type { Job, Summary, Timeline } from "../../api/types";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { asSentence, formatBytes } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { PeopleTable } from "./PeopleTable";
import { explainPlayer, type PlayerTrouble } from "./player";
import { TimelineView } from "./TimelineView";
import { usePlayhead } from "./usePlayhead";
import { nameFile } from "./wording";

export function FilmResult({ job }: { job: Job }) {
  const { data, error, retry } = useResults(job);
  const [player, setPlayer] = useState<HTMLVideoElement | null>(null);
  const film = job.files.find((file) => file.name === "annotated.mp4");
  const [trouble, setTrouble] = useState<PlayerTrouble | null>(null);
  const whole = data && {
    start: data.timeline.start_s,
    stop: data.timeline.start_s + Math.max(data.timeline.seconds, 0.001),
  };
  const { time, told, playing, seek, toggle } = usePlayhead(player, whole?.start ?? 0);
  const plays = film !== undefined && trouble === null;

  return (
    <div class="film-result">
      {(job.warnings?.length ?? 0) > 0 && (
        <div class="notice notice-caution">
          <Icon name="alert" />
          <ul class="notice-text">
            {job.warnings?.map((warning) => (
              <li key={warning}>{asSentence(warning)}</li>
            ))}
          </ul>
        </div>
      )}
      <div class="film-main" data-beside={plays && (data === null || data.timeline.tracks.length > 0)}>
        {plays && (
          <div class="film-screen">
            {/* biome-ignore lint/a11y/useMediaCaption: the film is the reader's own, and it has none */}
            <video
              ref={setPlayer}
              src={film.url}
              controls
              playsInline
              preload="metadata"
              aria-label={`${job.name}, annotated`}
              onError={async (event) =>
                setTrouble(await explainPlayer(film, event.currentTarget.error?.code))
              }
            />
          </div>
        )}
        {trouble === "unplayable" ? (
          <div class="notice notice-caution">
            <Icon name="alert" />
            <p>This browser cannot play the annotated film. It can be saved below and played elsewhere.</p>
          </div>
        ) : (
          trouble && <ErrorNotice error={trouble} onRetry={() => setTrouble(null)} />
        )}
        {error && <ErrorNotice error={error} onRetry={retry} />}
        {!data && !error && <div class="film-waiting" aria-busy="true" />}
        {data && whole && data.timeline.tracks.length > 0 && (
          <TimelineView
            timeline={data.timeline}
            whole={whole}
            time={time}
            told={told}
            playing={playing}
            onSeek={seek}
            onToggle={plays ? toggle : undefined}
          />
        )}
        {data && data.timeline.tracks.length === 0 && <Nobody untracked={data.summary.untracked} />}
      </div>
      {data && data.summary.people.length > 0 && <PeopleTable summary={data.summary} onSeek={seek} />}
      <section aria-label="Downloads" class="film-downloads">
        <h2>Save</h2>
        <div class="button-row">
          {job.files.map((file) => (
            <a class="button button-small" key={file.name} href={`${file.url}?download=1`} download>
              <Icon name="download" /> {nameFile(file.name)}
              <span class="soft numbers">{formatBytes(file.bytes)}</span>
            </a>
          ))}
        </div>
      </section>
    </div>
  );
}

function Nobody({ untracked }: { untracked: number }) {
  return (
    <div class="notice">
      <Icon name="info" />
      <div class="notice-text">
        <p class="notice-title">
          {untracked > 0 ? "Nobody is seen long enough for a timeline." : "Nobody was found in this film."}
        </p>
        <p>Faces lower than 32 px and those seen from behind are not found.</p>
      </div>
    </div>
  );
}

interface Results {
  timeline: Timeline;
  summary: Summary;
}

function useResults(job: Job): { data: Results | null; error: ApiError | null; retry: () => void } {
  const [data, setData] = useState<Results | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setError(null);
    Promise.all([
      fetchJobFile<Timeline>(job, "timeline.json", abort.signal),
      fetchJobFile<Summary>(job, "summary.json", abort.signal),
    ]).then(
      ([timeline, summary]) => setData({ timeline, summary }),
      (reason: unknown) => setError(toApiError(reason)),
    );
    return () => abort.abort();
  }, [job.id, round]);
  return { data, error, retry: () => setRound((value) => value + 1) };
}

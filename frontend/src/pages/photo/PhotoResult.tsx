/** One photo: the picture with its faces, and what was read of each. */

import { useEffect, useState } from "preact/hooks";
import { toApiError } from "../../api/errors";
import type { Face } from "../../api/types";
import type { Emotion } from "../../generated/vocabulary";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { basisOf, findTop } from "../../ui/expression";
import { formatCount } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { type Choice, Segmented } from "../../ui/Segmented";
import { FaceCard } from "./FaceCard";
import { PhotoDownloads } from "./PhotoDownloads";
import { PhotoStage } from "./PhotoStage";
import { drawPhoto, type Photo, removePhoto, rereadPhoto } from "./store";

type View = "faces" | "evidence" | "emoji";

const VIEWS: readonly Choice<View>[] = [
  { value: "faces", label: "Faces" },
  { value: "evidence", label: "Evidence" },
  { value: "emoji", label: "Emoji" },
];

const NO_FACES: readonly Face[] = [];

export function PhotoResult({ photo }: { photo: Photo }) {
  const state = photo.state.value;
  const faces = state.kind === "read" ? state.analysis.faces : NO_FACES;
  const [view, setView] = useState<View>("faces");
  const [active, setActive] = useState<number | null>(null);
  const [explained, setExplained] = useState<Readonly<Record<number, Emotion>>>({});
  const [image, setImage] = useState<HTMLImageElement | null>(null);
  const emoji = useEmoji(photo, view === "emoji");
  const explain = (index: number): Emotion =>
    explained[index] ?? findTop(faces[index] ? basisOf(faces[index]) : {});

  return (
    <article class="photo-result" aria-label={photo.name}>
      <div class="photo-main">
        <div class="photo-bar">
          {faces.length > 0 ? (
            <Segmented legend="Show" name="photo-view" choices={VIEWS} value={view} onChange={setView} />
          ) : (
            <span />
          )}
          <button type="button" class="button button-quiet" onClick={() => removePhoto(photo)}>
            <Icon name="trash" /> <span class="photo-remove">Remove</span>
          </button>
        </div>
        <PhotoStage
          photo={photo}
          replacement={view === "emoji" ? emoji.url : null}
          faces={faces}
          evidence={view === "evidence" ? faces.map((_, index) => explain(index)) : null}
          active={active}
          onActivate={setActive}
          onImage={setImage}
          busy={state.kind === "waiting" || state.kind === "reading" || (view === "emoji" && emoji.busy)}
        />
        {view === "evidence" && (
          <p class="evidence-legend">
            <span>
              <i class="evidence-against" /> speaks against the expression
            </span>
            <span>
              <i class="evidence-for" /> speaks for it
            </span>
            <span class="soft">
              Choose an expression beside the picture to see its evidence. Read it roughly.
            </span>
          </p>
        )}
        {view === "emoji" && emoji.error && (
          <ErrorNotice error={emoji.error} onRetry={emoji.error.isFileLost ? undefined : emoji.retry} />
        )}
        {state.kind === "read" && (
          <p class="photo-facts soft">
            <bdi class="photo-name">{photo.name}</bdi> · {state.analysis.size.join(" × ")} px ·{" "}
            {state.analysis.model} · detector {state.analysis.detector}
          </p>
        )}
      </div>

      <section
        class="photo-side"
        aria-label="What was read"
        aria-busy={state.kind !== "read" && state.kind !== "failed"}
      >
        {state.kind === "failed" && (
          <ErrorNotice
            error={state.error}
            onRetry={state.error.isFileLost ? undefined : () => rereadPhoto(photo)}
          />
        )}
        {(state.kind === "waiting" || state.kind === "reading") && (
          <p class="photo-waiting">
            <span class="spinner" aria-hidden="true" />
            {state.kind === "waiting" ? "Waiting for its turn" : "Looking for faces"}
          </p>
        )}
        {state.kind === "read" && faces.length === 0 && (
          <div class="notice">
            <Icon name="info" />
            <div class="notice-text">
              <p class="notice-title">No face found.</p>
              <p>
                Faces lower than 20 px and those seen from behind are not found. A larger picture may help.
              </p>
            </div>
          </div>
        )}
        {state.kind === "read" && faces.length > 0 && (
          <>
            <h2>{formatCount(faces.length, "face")}</h2>
            <ol class="face-list">
              {faces.map((face, index) => (
                <FaceCard
                  key={`${photo.id}-${index}`}
                  face={face}
                  number={index + 1}
                  several={faces.length > 1}
                  image={image}
                  size={state.analysis.size}
                  active={active === index}
                  onActivate={() => setActive(active === index ? null : index)}
                  explained={view === "evidence" ? explain(index) : undefined}
                  onExplain={(emotion) => setExplained({ ...explained, [index]: emotion })}
                />
              ))}
            </ol>
          </>
        )}
        {state.kind === "read" && <PhotoDownloads photo={photo} analysis={state.analysis} />}
      </section>
    </article>
  );
}

/** The photo with emoji over its faces, once `wanted`. */
function useEmoji(photo: Photo, wanted: boolean) {
  const [url, setUrl] = useState<string | null>(null);
  const [error, setError] = useState<ReturnType<typeof toApiError>>(null);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    if (!wanted) return;
    let current = true;
    let made: string | null = null;
    setError(null);
    drawPhoto(photo, "emoji").then(
      (blob) => {
        if (!current) return;
        made = URL.createObjectURL(blob);
        setUrl(made);
      },
      (reason: unknown) => {
        if (current) setError(toApiError(reason));
      },
    );
    return () => {
      current = false;
      if (made) URL.revokeObjectURL(made);
      setUrl(null);
    };
  }, [photo, wanted, attempt]);
  return { url, error, busy: wanted && url === null && error === null, retry: () => setAttempt(attempt + 1) };
}

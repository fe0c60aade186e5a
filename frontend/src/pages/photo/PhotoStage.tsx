/** The picture, its faces as frames that can be reached by keyboard, and the evidence over them. */

import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, toApiError } from "../../api/errors";
import type { Face } from "../../api/types";
import type { Emotion } from "../../generated/vocabulary";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { Icon } from "../../ui/Icon";
import { EvidenceCanvas } from "./EvidenceCanvas";
import { FaceFrames } from "./FaceFrames";
import { drawPhoto, type Photo } from "./store";

const LARGEST_ZOOM = 2;
/** Share of the window's height. */
const HIGHEST = 0.72;

export function PhotoStage({
  photo,
  replacement,
  faces,
  evidence,
  active,
  onActivate,
  onImage,
  busy,
}: {
  photo: Photo;
  /** Another picture of the same size to show in its place. */
  replacement: string | null;
  faces: readonly Face[];
  /** The expression to explain for each face; null shows no evidence. */
  evidence: readonly Emotion[] | null;
  active: number | null;
  onActivate: (index: number | null) => void;
  onImage: (image: HTMLImageElement | null) => void;
  busy: boolean;
}) {
  const image = useRef<HTMLImageElement>(null);
  const [loaded, setLoaded] = useState(false);
  const { url, onUnreadable, error, retry } = useReadable(photo);
  const failed = (error !== null || photo.state.value.kind === "failed") && !loaded;

  useEffect(() => {
    onImage(loaded ? image.current : null);
    return () => onImage(null);
  }, [loaded]);

  if (failed) {
    return (
      <>
        <div class="stage stage-broken">
          <Icon name="picture" />
          <p>{photo.name}</p>
        </div>
        {error && <ErrorNotice error={error} onRetry={error.isFileLost ? undefined : retry} />}
      </>
    );
  }
  return (
    <div class="stage" data-busy={busy}>
      <div class="stage-picture" style={{ width: widthOf(loaded ? image.current : null) }}>
        <img
          ref={image}
          src={url}
          alt={photo.name}
          onLoad={() => setLoaded(true)}
          onError={() => {
            setLoaded(false);
            onUnreadable();
          }}
        />
        {replacement && (
          <img class="stage-replacement" src={replacement} alt={`${photo.name} with emoji over the faces`} />
        )}
        {evidence && loaded && image.current && (
          <EvidenceCanvas image={image.current} faces={faces} explained={evidence} />
        )}
        {loaded && !replacement && (
          <FaceFrames faces={faces} image={image} active={active} onActivate={onActivate} />
        )}
      </div>
    </div>
  );
}

/** As wide as there is room for, but not blown up beyond recognition. */
function widthOf(image: HTMLImageElement | null): string {
  if (!image?.naturalHeight) return "auto";
  const ratio = image.naturalWidth / image.naturalHeight;
  return `min(100%, ${Math.round(LARGEST_ZOOM * image.naturalWidth)}px, ${(100 * HIGHEST * ratio).toFixed(2)}vh)`;
}

/** The photo's address; of formats that this browser does not know, the address of the server's own drawing. */
function useReadable(photo: Photo) {
  const [url, setUrl] = useState(photo.url);
  const [unreadable, setUnreadable] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [attempt, setAttempt] = useState(0);
  const isRead = photo.state.value.kind === "read";
  useEffect(() => {
    if (!unreadable) return;
    let made: string | null = null;
    let current = true;
    setError(null);
    drawPhoto(photo, "boxes").then(
      (blob) => {
        if (!current) return;
        made = URL.createObjectURL(blob);
        setUrl(made);
      },
      (reason: unknown) => {
        // Until it is read, the photo's own state says what is wrong; once it is, the drawing is asked for again.
        if (current && isRead) setError(toApiError(reason));
      },
    );
    return () => {
      current = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [unreadable, isRead, attempt]);
  return { url, error, onUnreadable: () => setUnreadable(true), retry: () => setAttempt(attempt + 1) };
}

/** The photos that were added, as thumbnails. */

import { Icon } from "../../ui/Icon";
import { chosenPhoto, describeAnalysis, type Photo, photos, removeAllPhotos } from "./store";

export function PhotoStrip() {
  if (photos.value.length < 2) return null;
  return (
    <section class="photo-strip" aria-label="Photos">
      <ul>
        {photos.value.map((photo) => (
          <li key={photo.id}>
            <Thumbnail photo={photo} />
          </li>
        ))}
      </ul>
      <button type="button" class="button button-quiet" onClick={removeAllPhotos}>
        Remove all
      </button>
    </section>
  );
}

function Thumbnail({ photo }: { photo: Photo }) {
  const state = photo.state.value;
  return (
    <button
      type="button"
      class="photo-thumbnail"
      aria-pressed={photo.id === chosenPhoto.value}
      aria-label={`${photo.name}, ${describeState(photo)}`}
      title={photo.name}
      onClick={() => {
        chosenPhoto.value = photo.id;
      }}
    >
      {state.kind === "failed" ? <Icon name="picture" /> : <img src={photo.url} alt="" loading="lazy" />}
      <span class="photo-thumbnail-state" data-kind={state.kind} aria-hidden="true">
        {state.kind === "read" ? (
          state.analysis.faces.length
        ) : state.kind === "failed" ? (
          <Icon name="alert" />
        ) : (
          "…"
        )}
      </span>
    </button>
  );
}

function describeState(photo: Photo): string {
  const state = photo.state.value;
  if (state.kind === "read") return describeAnalysis(state.analysis);
  return state.kind === "failed" ? "could not be read" : "is being read";
}

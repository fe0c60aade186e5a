/** Photos in, expressions out. */

import { useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { chooseFiles, useIncomingFiles } from "../../ui/files";
import { formatCount } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import sample from "./astronaut.jpg";
import { CameraDialog } from "./CameraDialog";
import "./photo.css";
import { PhotoResult } from "./PhotoResult";
import { PhotoStrip } from "./PhotoStrip";
import { addPhotos, chosenPhoto, photos, refusedFiles } from "./store";

export default function PhotoPage() {
  const [camera, setCamera] = useState(false);
  const hovering = useIncomingFiles(addPhotos);
  const shown = photos.value.find((photo) => photo.id === chosenPhoto.value);
  const choose = async (): Promise<void> => addPhotos(await chooseFiles("image/*", true));

  return (
    <div class="page">
      <header class="page-head">
        <div class="page-heading">
          <h1>Photo</h1>
          {!shown && (
            <p class="soft">
              Every face in a picture, and how its expression reads. Pictures are read by the server that
              serves this page and are not kept.
            </p>
          )}
        </div>
        {shown && (
          <div class="button-row">
            <button type="button" class="button photo-add" onClick={choose}>
              <Icon name="picture" /> Add photos
            </button>
            <button type="button" class="button photo-add" onClick={() => setCamera(true)}>
              <Icon name="camera" /> Take a picture
            </button>
          </div>
        )}
      </header>

      {shown ? (
        <PhotoStrip />
      ) : (
        <section class="drop-zone" aria-label="Add photos">
          <span class="drop-zone-mark">
            <Icon name="picture" />
          </span>
          <p class="drop-zone-title">Drop photos here</p>
          <p class="soft">or paste one. JPEG, PNG, WebP, and what else this server reads.</p>
          <div class="button-row">
            <button type="button" class="button button-primary" onClick={choose}>
              Choose photos
            </button>
            <button type="button" class="button" onClick={() => setCamera(true)}>
              <Icon name="camera" /> Take a picture
            </button>
            <button type="button" class="button button-quiet" onClick={addSample}>
              Try a sample
            </button>
          </div>
        </section>
      )}

      {refusedFiles.value.length > 0 && (
        <p class="notice notice-caution" role="alert">
          <Icon name="alert" />
          <span>
            {formatCount(refusedFiles.value.length, "file is no picture", "files are no pictures")}:{" "}
            {refusedFiles.value.join(", ")}
          </span>
        </p>
      )}

      {shown && <PhotoResult key={shown.id} photo={shown} />}
      {camera && (
        <CameraDialog onPicture={(picture) => addPhotos([picture])} onClose={() => setCamera(false)} />
      )}
      {hovering && (
        <div class="drop-veil" aria-hidden="true">
          <p>Drop to read</p>
        </div>
      )}
    </div>
  );
}

async function addSample(): Promise<void> {
  const answer = await fetch(sample).catch(() => null);
  if (!answer?.ok) {
    announce("The sample could not be fetched");
    return;
  }
  addPhotos([new File([await answer.blob()], "astronaut.jpg", { type: "image/jpeg" })]);
}

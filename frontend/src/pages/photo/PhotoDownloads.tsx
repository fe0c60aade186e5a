/** What can be taken home. */

import { useState } from "preact/hooks";
import { type ApiError, toApiError } from "../../api/errors";
import type { Analysis } from "../../api/types";
import { writeCsv } from "../../ui/csv";
import { saveBlob, saveText, stemOf } from "../../ui/download";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { Icon } from "../../ui/Icon";
import { drawPhoto, type Photo, photos } from "./store";

type Drawing = "boxes" | "explain" | "emoji";

const DRAWINGS: readonly [Drawing, string, string][] = [
  ["boxes", "Annotated", "annotated"],
  ["explain", "Evidence", "explained"],
  ["emoji", "Emoji", "emoji"],
];

export function PhotoDownloads({ photo, analysis }: { photo: Photo; analysis: Analysis }) {
  const [busy, setBusy] = useState<Drawing | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const stem = stemOf(photo.name);
  const everything = photos.value.flatMap((other) =>
    other.state.value.kind === "read" ? [other.state.value.analysis] : [],
  );

  const saveDrawing = async (drawing: Drawing, suffix: string): Promise<void> => {
    setBusy(drawing);
    setError(null);
    try {
      saveBlob(await drawPhoto(photo, drawing), `${stem}.${suffix}.jpg`);
    } catch (reason) {
      setError(toApiError(reason));
    } finally {
      setBusy(null);
    }
  };

  return (
    <section class="photo-downloads" aria-label="Downloads">
      <h3>Save</h3>
      <div class="button-row">
        {analysis.faces.length > 0 &&
          DRAWINGS.map(([drawing, label, suffix]) => (
            <button
              type="button"
              class="button button-small"
              key={drawing}
              disabled={busy !== null}
              aria-busy={busy === drawing}
              onClick={() => saveDrawing(drawing, suffix)}
            >
              <Icon name="download" /> {label}
            </button>
          ))}
        <button
          type="button"
          class="button button-small"
          onClick={() =>
            saveText(`${JSON.stringify(analysis, null, 2)}\n`, "application/json", `${stem}.json`)
          }
        >
          <Icon name="download" /> JSON
        </button>
        <button
          type="button"
          class="button button-small"
          onClick={() => saveText(writeCsv([analysis]), "text/csv", `${stem}.csv`)}
        >
          <Icon name="download" /> CSV
        </button>
      </div>
      {everything.length > 1 && (
        <div class="button-row">
          <button
            type="button"
            class="button button-small button-quiet"
            onClick={() => saveText(writeCsv(everything), "text/csv", "photos.csv")}
          >
            <Icon name="download" /> CSV of all {everything.length} photos
          </button>
        </div>
      )}
      {error && <ErrorNotice error={error} />}
    </section>
  );
}

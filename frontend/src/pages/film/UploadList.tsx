/** Films that are being sent. */

import { ErrorNotice } from "../../ui/ErrorNotice";
import { formatBytes, formatPercent, formatTimeLeft } from "../../ui/format";
import { ProgressBar } from "../../ui/ProgressBar";
import { removeUpload, startUpload, type Upload, uploads } from "./uploads";

export function UploadList() {
  return (
    <section class="job-list" aria-label="Films being sent">
      <h2>On their way</h2>
      <ul>
        {uploads.value.map((upload) => (
          <li key={upload.id}>
            <UploadRow upload={upload} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function describeUpload(upload: Upload): string {
  if (!upload.isSending.value) return `${formatBytes(upload.film.size)}, waiting for its turn`;
  return upload.sent.value < 1
    ? `${formatPercent(upload.sent.value)} of ${formatBytes(upload.film.size)} sent`
    : "The server is looking at it";
}

function UploadRow({ upload }: { upload: Upload }) {
  const error = upload.error.value;
  const left = upload.secondsLeft.value;
  if (error) {
    const again = (): void => {
      removeUpload(upload);
      startUpload(upload.film, upload.annotated);
    };
    return (
      <ErrorNotice
        error={{ message: `${upload.film.name}: ${error.message}`, advice: error.advice }}
        onRetry={error.isFileLost ? undefined : again}
      >
        <button type="button" class="button button-quiet" onClick={() => removeUpload(upload)}>
          Dismiss
        </button>
      </ErrorNotice>
    );
  }
  return (
    <div class="job card">
      <div class="job-text">
        <p class="job-name">{upload.film.name}</p>
        <p class="soft numbers">
          {describeUpload(upload)}
          {left !== null && upload.sent.value < 1 && `, ${formatTimeLeft(left)}`}
        </p>
        <ProgressBar value={upload.sent.value} label={`Sending ${upload.film.name}`} />
      </div>
      <div class="button-row">
        <button type="button" class="button button-small" onClick={upload.cancel}>
          Cancel
        </button>
      </div>
    </div>
  );
}

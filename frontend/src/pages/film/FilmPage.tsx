/** Films: hand one over, and those that the server has. */

import { useState } from "preact/hooks";
import { chooseFiles, useIncomingFiles } from "../../ui/files";
import { Icon } from "../../ui/Icon";
import "./film.css";
import { JobList } from "./JobList";
import { UploadList } from "./UploadList";
import { startUpload, uploads } from "./uploads";

const ACCEPT = "video/*,.mkv,.avi,.mov,.ts";

export default function FilmPage() {
  const [annotated, setAnnotated] = useState(true);
  const [refused, setRefused] = useState<string[]>([]);
  const take = (files: File[]): void => {
    const films = files.filter((file) => !/^(image|text|application\/pdf)/.test(file.type));
    setRefused(files.filter((file) => !films.includes(file)).map((file) => file.name));
    for (const film of films) startUpload(film, annotated);
  };
  const hovering = useIncomingFiles(take);

  return (
    <div class="page">
      <header class="page-heading">
        <h1>Film</h1>
        <p class="soft">
          Who shows which expression when: the film with everybody marked, and a timeline per person. The
          server that serves this page deletes a film once it is read, and what was read of it when you say so
          or its time is up.
        </p>
      </header>

      <section class="drop-zone drop-zone-low" aria-label="Add a film">
        <span class="drop-zone-mark">
          <Icon name="film" />
        </span>
        <p class="drop-zone-title">Drop a film here</p>
        <div class="button-row">
          <button
            type="button"
            class="button button-primary"
            onClick={async () => take(await chooseFiles(ACCEPT, true))}
          >
            Choose a film
          </button>
        </div>
        <label class="check">
          <input
            type="checkbox"
            checked={annotated}
            onChange={(event) => setAnnotated(event.currentTarget.checked)}
          />
          <span>
            Make an annotated film <span class="soft">(takes longer)</span>
          </span>
        </label>
      </section>

      {refused.length > 0 && (
        <p class="notice notice-caution" role="alert">
          <Icon name="alert" />
          <span>No film: {refused.join(", ")}</span>
        </p>
      )}
      {uploads.value.length > 0 && <UploadList />}
      <JobList arrivals={uploads.value.length} />
      {hovering && (
        <div class="drop-veil" aria-hidden="true">
          <p>Drop to read</p>
        </div>
      )}
    </div>
  );
}

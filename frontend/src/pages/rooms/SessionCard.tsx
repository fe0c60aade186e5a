/** What can be done with the whole session. */

import { useState } from "preact/hooks";
import { toApiError } from "../../api/errors";
import { fetchExport, type Room, type RoomExport } from "../../api/rooms";
import { announce } from "../../ui/announce";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { saveBlob } from "../../ui/download";
import { ErrorNotice, type ErrorText } from "../../ui/ErrorNotice";
import { Icon } from "../../ui/Icon";
import { CopyButton } from "./CopyButton";
import { HostLink } from "./HostLink";
import type { Host } from "./host";
import { RoomIcon } from "./RoomIcon";

export function SessionCard({
  host,
  room,
  isPresenting,
}: {
  host: Host;
  room: Room;
  /** Then the host link stays hidden: an audience sees the page. */
  isPresenting: boolean;
}) {
  const [asked, setAsked] = useState<"end" | "delete" | null>(null);
  const [error, setError] = useState<ErrorText | null>(null);
  const [isLinkShown, setLinkShown] = useState(false);
  const link = `${location.origin}/rooms/host/${host.pass.id}#${host.pass.key}`;

  const attempt = async (action: () => Promise<void>): Promise<void> => {
    setError(null);
    try {
      await action();
    } catch (reason) {
      setError(toApiError(reason));
    }
  };
  const save = (which: RoomExport): Promise<void> =>
    attempt(async () => {
      const { blob, name } = await fetchExport(host.pass, which);
      saveBlob(blob, name);
      announce(`Saved ${name}`);
    });
  const end = (): void => {
    setError(host.end() ? null : { message: "The connection is lost", advice: "Try again when it is back." });
  };

  return (
    <section class="card room-card session-card" aria-labelledby="session-title">
      <h2 id="session-title">Session</h2>
      {error && <ErrorNotice error={error} />}
      <div class="button-row">
        <button type="button" class="button button-small" onClick={() => save("report.html")}>
          <Icon name="download" /> Report
        </button>
        <button type="button" class="button button-small" onClick={() => save("export.csv")}>
          <Icon name="download" /> CSV
        </button>
      </div>
      <p class="soft room-small">Sums and marks only. Names of raised hands are in neither.</p>
      <hr />
      <div class="button-row">
        {!room.ended && <CopyButton text={link} label="Host link" onFailure={() => setLinkShown(true)} />}
        {!room.ended && (
          <button type="button" class="button button-small" onClick={() => setAsked("end")}>
            <RoomIcon name="stop" /> End
          </button>
        )}
        <button type="button" class="button button-small button-danger" onClick={() => setAsked("delete")}>
          <Icon name="trash" /> Delete
        </button>
      </div>
      {isLinkShown && !isPresenting && !room.ended && <HostLink link={link} isSelected />}
      {asked === "end" && (
        <ConfirmDialog
          title="End the room?"
          text="Nobody can answer any more, and it cannot be opened again. What was shown stays for export until the room's time is over."
          action="End it"
          onConfirm={end}
          onClose={() => setAsked(null)}
        />
      )}
      {asked === "delete" && (
        <ConfirmDialog
          title="Delete the room?"
          text="Everybody is sent out, and sums, marks and names are deleted at once. Save the report first if you need it."
          action="Delete it"
          onConfirm={() => attempt(() => host.delete())}
          onClose={() => setAsked(null)}
        />
      )}
    </section>
  );
}

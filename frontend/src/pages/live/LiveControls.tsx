/** What can be done while the camera runs. */

import { announce } from "../../ui/announce";
import { nameByTime, saveText } from "../../ui/download";
import { formatCount } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Segmented } from "../../ui/Segmented";
import type { View } from "./overlay";
import type { LiveSession } from "./session";

const FULL = "The recording is full. ";

export function LiveControls({
  session,
  view,
  onView,
  onStop,
}: {
  session: LiveSession;
  view: View;
  onView: (part: Partial<View>) => void;
  onStop: () => void;
}) {
  const isPaused = session.isPaused.value;
  const isRecording = session.isRecording.value;
  const rows = session.rows.value;
  const cameras = session.cameras.value;
  const isChoice = cameras.length > 1;
  return (
    <div class="live-controls">
      <div class="button-row">
        <button
          type="button"
          class="button"
          disabled={session.phase.value === "camera"}
          onClick={() => session.togglePause()}
        >
          <Icon name={isPaused ? "play" : "pause"} /> {isPaused ? "Go on" : "Pause"}
        </button>
        <Segmented
          legend="What is drawn over faces"
          name="live-view"
          choices={[
            { value: "frames", label: "Frames" },
            { value: "emoji", label: "Emoji" },
          ]}
          value={view.emoji ? "emoji" : "frames"}
          onChange={(value) => onView({ emoji: value === "emoji" })}
        />
        <button
          type="button"
          class="button"
          aria-pressed={view.mirror}
          onClick={() => onView({ mirror: !view.mirror })}
        >
          Mirror
        </button>
        <button type="button" class="button" onClick={onStop}>
          <Icon name="close" /> Stop
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={isRecording}
          onClick={() => session.toggleRecording()}
        >
          <span class="live-dot" data-on={isRecording} aria-hidden="true" />
          {isRecording ? "Stop recording" : "Record numbers"}
        </button>
        {rows > 0 && <SaveButton session={session} />}
        <span class="live-hint soft">
          {isRecording
            ? `Numbers only, no pictures; they stay in this page.${isChoice ? " Another camera ends the recording." : ""}`
            : rows === 0
              ? ""
              : `${session.isFull.value ? FULL : ""}Kept until you record again or leave this page.`}
        </span>
      </div>
      {isChoice && (
        <label class="live-camera">
          <span>Camera</span>
          <select
            value={session.cameraId.value}
            onChange={(event) => {
              if (isRecording) announce("The recording ended with its camera");
              void session.changeCamera(event.currentTarget.value);
            }}
          >
            {cameras.map((camera, i) => (
              <option key={camera.deviceId} value={camera.deviceId}>
                {camera.label || `Camera ${i + 1}`}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}

/** What was recorded, when the camera is off: it may be lost, or never come back. */
export function RecordingNotice({ session }: { session: LiveSession }) {
  return (
    <div class="notice">
      <Icon name="info" />
      <div class="notice-text">
        <p class="notice-title">What was recorded is still here.</p>
        <p>
          {session.isFull.value && FULL}
          Numbers only, no pictures; kept until you record again or leave this page.
        </p>
        <div class="button-row">
          <SaveButton session={session} />
        </div>
      </div>
    </div>
  );
}

function SaveButton({ session }: { session: LiveSession }) {
  return (
    <button type="button" class="button" onClick={() => save(session)}>
      <Icon name="download" /> CSV, {formatCount(session.rows.value, "row")}
    </button>
  );
}

function save(session: LiveSession): void {
  saveText(session.recording.write(), "text/csv", nameByTime("live", "csv"));
}

/** A participant in the room: answer, raise a hand, pause, leave. */

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Room } from "../../api/rooms";
import { announce } from "../../ui/announce";
import { capitalise } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { CameraView } from "./CameraView";
import { ChoiceButtons } from "./ChoiceButtons";
import { ConnectionNotice } from "./ConnectionNotice";
import { Letter, MessageText } from "./Consent";
import type { CameraReader } from "./camera";
import { HandForm } from "./HandForm";
import type { Participant } from "./participant";
import { RoomIcon } from "./RoomIcon";
import { describeCounts } from "./sampling";
import { useNow } from "./useNow";
import { useWakeLock } from "./useWakeLock";

export function TakePart({ participant, camera }: { participant: Participant; camera: CameraReader | null }) {
  const { room } = participant;
  const isPaused = participant.isPaused.value;
  const title = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => title.current?.focus({ preventScroll: true }), []);
  useWakeLock(!isPaused);
  const isSeen = camera?.phase.value === "on";
  useLayoutEffect(() => {
    if (camera && !isSeen) participant.withhold(); // counts are on screen only while the camera is on
  }, [isSeen]);

  const pause = (): void => {
    participant.pause();
    camera?.stop();
    announce("Paused. No answers are sent.");
  };
  const resume = (): void => {
    participant.resume();
    void camera?.start();
    announce("You take part again");
  };

  return (
    <div class="page page-narrow take-part">
      <header class="take-part-head">
        <div class="page-heading">
          <h1 ref={title} tabIndex={-1}>
            {room.title || "Room"}
          </h1>
          <p class="soft">{ask(room)}</p>
        </div>
        <div class="button-row">
          {isPaused ? (
            <button type="button" class="button button-primary" onClick={resume}>
              <Icon name="play" /> Resume
            </button>
          ) : (
            <button type="button" class="button" onClick={pause}>
              <Icon name="pause" /> Pause
            </button>
          )}
          <button type="button" class="button" onClick={() => participant.leave()}>
            <RoomIcon name="leave" /> Leave
          </button>
        </div>
      </header>
      <ConnectionNotice
        connection={participant.connection}
        trouble={participant.trouble}
        consequence={`Nothing is sent meanwhile. ${camera ? "What is read is thrown away" : "Your answer waits here"}.`}
        onHurry={() => participant.hurry()}
      />
      {isPaused && (
        <div class="notice">
          <Icon name="pause" />
          <div class="notice-text">
            <p class="notice-title">Paused. No answers are sent{camera ? ", and the camera is off" : ""}.</p>
          </div>
        </div>
      )}
      {camera ? (
        <Reading participant={participant} camera={camera} />
      ) : (
        <ChoiceButtons participant={participant} isDisabled={isPaused} />
      )}
      <Standing participant={participant} />
      <HandForm participant={participant} />
      <details class="sent-details">
        <summary>What was sent last</summary>
        <SentLast participant={participant} />
      </details>
    </div>
  );
}

function ask(room: Room): string {
  if (room.kind === "expressions") return "This browser reads your expression; only counts leave it.";
  return room.question === "mood" ? "How are you?" : "How is the pace?";
}

/** What has become of the last answer. */
function Standing({ participant }: { participant: Participant }) {
  const { room } = participant;
  const counted = participant.counted.value;
  if (participant.isPaused.value || participant.connection.value.status !== "open") return null;
  const words = {
    crowd: `You are counted, in sums of at least ${room.min_group} people.`,
    waiting: `You are counted. Sums are shown once ${room.min_group} or more can be added up together.`,
    held: `Somebody left or fell silent. So that nobody can be singled out, your answers are shown again when everybody is back. Failing that, they can be in ${Math.ceil(room.hold_s / 60 + 0.2)} minutes, if enough people answer. Nothing is kept of them meanwhile.`,
  };
  return (
    <p class="standing soft" role="status">
      {counted === null ? "Your page answers for you within a few seconds." : words[counted]}
    </p>
  );
}

function SentLast({ participant }: { participant: Participant }) {
  const sent = participant.sent.value;
  if (sent === null) return <p class="soft">Nothing yet but the code and this browser's number.</p>;
  return (
    <div class="letter">
      <p class="numbers">At {new Date(sent.at).toLocaleTimeString()}:</p>
      <pre class="letter-text">
        <MessageText text={sent.text} />
      </pre>
    </div>
  );
}

function Reading({ participant, camera }: { participant: Participant; camera: CameraReader }) {
  const { room } = participant;
  const pending = participant.pending.value;
  const now = useNow(250, pending !== null);
  if (participant.isPaused.value) return null;
  const leftS = pending ? Math.max(0, Math.ceil((pending.at - now) / 1000)) : 0;
  return (
    <section class="card room-card reading-card" aria-labelledby="reading-title">
      <h2 id="reading-title" class="visually-hidden">
        Your counts
      </h2>
      <CameraView camera={camera} />
      {pending && camera.phase.value === "on" ? (
        <div class="reading-next">
          <Letter
            words={`${capitalise(describeCounts(pending.counts, room.steps))}. It goes in ${leftS} s:`}
            message={{ type: "expressions", counts: pending.counts }}
          />
          {Object.keys(pending.counts).length > 0 && (
            <button type="button" class="button button-small" onClick={() => participant.withhold()}>
              Send nothing of it
            </button>
          )}
        </div>
      ) : (
        camera.phase.value === "on" && (
          <p class="soft reading-next">The next {room.bucket_s} s are being counted.</p>
        )
      )}
    </section>
  );
}

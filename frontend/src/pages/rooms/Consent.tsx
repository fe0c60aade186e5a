/** Before anything is sent: what is, in words and to the letter. */

import { useMemo, useState } from "preact/hooks";
import type { Choice, ParticipantSays, Room } from "../../api/rooms";
import { formatDuration } from "../../ui/format";
import { Icon, type IconName } from "../../ui/Icon";
import { CameraView } from "./CameraView";
import type { CameraReader } from "./camera";
import { buildContribution, draftToken, writeMessage } from "./messages";
import { listChoices, nameOption } from "./options";
import { OptionSign } from "./RoomIcon";
import { describeCounts } from "./sampling";

interface Props {
  room: Room;
  code: string;
  /** In rooms that read expressions. */
  camera: CameraReader | null;
  onJoin: () => void;
  onDecline: () => void;
}

export function Consent({ room, code, camera, onJoin, onDecline }: Props) {
  const isPulse = room.kind === "pulse";
  return (
    <div class="page page-narrow consent">
      <header class="page-heading">
        <p class="soft">You are about to join</p>
        <h1>{room.title || "A room"}</h1>
        <p>
          {isPulse
            ? describePulse(room)
            : "The presenter would like to see which expressions the audience shows."}
        </p>
      </header>
      <section class="card room-card" aria-labelledby="consent-sent">
        <h2 id="consent-sent">What is sent, every {room.bucket_s} s</h2>
        {camera ? <CountsPreview room={room} camera={camera} /> : <PulsePreview room={room} />}
      </section>
      <section class="card room-card" aria-labelledby="consent-else">
        <h2 id="consent-else">What else</h2>
        <Letter
          words="When you join, and whenever the connection comes back: the code, and a random number of this browser for this room, so that a reload or a second tab is nobody new."
          message={{ type: "join", code, token: useMemo(() => draftToken(room.id), [room.id]) }}
        />
        <Letter
          words="Only if you raise your hand: the name that you type. It is the only thing with a name."
          message={{ type: "hand", name: "Ada" }}
        />
      </section>
      <ul class="promises" aria-label="What happens with it">
        <Promised icon="shield">
          The host sees sums of at least {room.min_group} people, never your answer alone. Where everybody
          says the same, everybody's answer is known.
        </Promised>
        <Promised icon="trash">The server adds each message to a sum and forgets it.</Promised>
        {!isPulse && (
          <Promised icon="camera">
            The picture stays in this browser. An expression is not what you feel.
          </Promised>
        )}
        <Promised icon="pause">You can pause or leave at any time.</Promised>
      </ul>
      <div class="button-row consent-answer">
        <button type="button" class="button button-primary button-large" onClick={onJoin}>
          Agree and join
        </button>
        <button type="button" class="button button-large" onClick={onDecline}>
          No, thanks
        </button>
      </div>
    </div>
  );
}

function describePulse(room: Room): string {
  return room.question === "mood"
    ? "The presenter asks how you are. You pick a face, whenever you like."
    : "The presenter asks how the pace is. You tap an answer, whenever you like.";
}

function PulsePreview({ room }: { room: Room }) {
  const [choice, setChoice] = useState<Choice | null>(null);
  return (
    <>
      <p>Try it; nothing is sent yet.</p>
      <div class="preview-choices">
        {listChoices(room).map((option) => (
          <button
            key={option}
            type="button"
            class={`button button-small preview-choice option-tone-${option}`}
            aria-pressed={choice === option}
            onClick={() => setChoice(choice === option ? null : option)}
          >
            <OptionSign option={option} /> {nameOption(option)}
          </button>
        ))}
      </div>
      <Letter
        isLive
        words={
          choice === null
            ? "You have not answered; you are counted as “no answer”."
            : `You say “${nameOption(choice)}”. It lapses after ${formatDuration(room.hold_s)} unless you say it again.`
        }
        message={buildContribution(room, choice, {})}
      />
    </>
  );
}

function CountsPreview({ room, camera }: { room: Room; camera: CameraReader }) {
  const isOn = camera.phase.value === "on";
  const counts = camera.size.value > 0 ? camera.sampler.measure(room.steps) : {};
  return (
    <>
      <p>In how many fifths of {room.bucket_s} s this browser read which expression of yours. No picture.</p>
      <CameraView camera={camera} />
      {camera.phase.value === "off" && (
        <button type="button" class="button" onClick={() => camera.start()}>
          <Icon name="camera" /> Try it with your camera
        </button>
      )}
      {isOn && <p>Nothing is sent yet.</p>}
      <Letter
        words={isOn ? `So far: ${describeCounts(counts, room.steps)}.` : "For example, without a face:"}
        message={buildContribution(room, null, counts)}
      />
    </>
  );
}

/** A message, in words and as it is sent. */
export function Letter({
  words,
  message,
  isLive = false,
}: {
  words: string;
  message: ParticipantSays;
  isLive?: boolean;
}) {
  return (
    <div class="letter">
      <p aria-live={isLive ? "polite" : undefined}>{words}</p>
      <pre class="letter-text">
        <MessageText text={writeMessage(message)} />
      </pre>
    </div>
  );
}

/** A message to the letter; on a narrow screen it breaks after its commas first. */
export function MessageText({ text }: { text: string }) {
  return (
    <code translate={false}>
      {text.split(/(?<=,)/).map((part) => (
        <>
          {part}
          <wbr />
        </>
      ))}
    </code>
  );
}

function Promised({ icon, children }: { icon: IconName; children: preact.ComponentChildren }) {
  return (
    <li>
      <Icon name={icon} />
      <span>{children}</span>
    </li>
  );
}

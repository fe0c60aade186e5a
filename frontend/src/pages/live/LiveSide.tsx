/** Beside the picture: who is there, how they read now and in the last minute, and how fast it goes. */

import { useEffect, useRef } from "preact/hooks";
import type { Face } from "../../api/types";
import { EMOJI } from "../../generated/vocabulary";
import { announce } from "../../ui/announce";
import { basisOf } from "../../ui/expression";
import { formatPercent } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { ShareBars } from "../../ui/ShareBars";
import { MinuteChart } from "./MinuteChart";
import { chooseTone } from "./overlay";
import type { LiveSession } from "./session";

/** A screen reader is told no more often, ms. */
const ANNOUNCE_EVERY_MS = 3000;

export function LiveSide({
  session,
  chosen,
  onChoose,
}: {
  session: LiveSession;
  chosen: number | null;
  onChoose: (track: number | null) => void;
}) {
  // Before something was read nothing is known of anybody, not even that nobody is there.
  const frame = session.phase.value === "running" ? session.frame.value : null;
  const faces = (frame?.faces ?? []).filter((face) => face.track !== null);
  const shown =
    chosen === null && faces.length === 1 ? faces[0] : faces.find((face) => face.track === chosen);
  // A newcomer's face is framed before it has a number.
  const isNew = faces.length === 0 && frame !== null && frame.faces.length > 0;
  useAnnouncements(isNew ? null : frame && faces);
  useEffect(() => {
    const isForgotten = chosen !== null && session.frame.value !== null && !session.history.knows(chosen);
    if (isForgotten) onChoose(null);
  });
  return (
    <aside class="live-side" aria-label="Expressions">
      <section class="card live-card">
        <h2>{faces.length > 1 ? `${faces.length} people` : "Now"}</h2>
        {(faces.length > 1 || chosen !== null) && (
          <People faces={faces} chosen={chosen} onChoose={onChoose} />
        )}
        {faces.length === 0 ? (
          <p class="soft">
            {frame ? `${isNew ? "Somebody" : "Nobody"} is in the picture.` : "Nothing is read yet."}
          </p>
        ) : (
          chosen !== null && !shown && <p class="soft">Person {chosen} is not in the picture.</p>
        )}
        {shown && (
          <>
            <p class="live-now">
              <img src={EMOJI[chooseTone(shown)]} alt="" width="44" height="44" />
              <span>
                <strong>{shown.emotion ?? "uncertain"}</strong>
                <span class="live-share soft numbers">{describeConfidence(shown)}</span>
              </span>
            </p>
            <ShareBars shares={basisOf(shown)} caption="Shares now" />
          </>
        )}
      </section>
      <section class="card live-card">
        <h2>
          The last minute
          <span class="live-of soft"> · {chosen === null ? "everybody" : `person ${chosen}`}</span>
        </h2>
        <MinuteChart session={session} chosen={chosen} isRead={frame !== null} />
      </section>
      <Facts session={session} />
    </aside>
  );
}

function describeConfidence(face: Face): string {
  const share = formatPercent(face.confidence);
  return face.emotion === null ? `perhaps ${chooseTone(face)}, ${share}` : `${share} sure`;
}

function People({
  faces,
  chosen,
  onChoose,
}: {
  faces: readonly Face[];
  chosen: number | null;
  onChoose: (track: number | null) => void;
}) {
  return (
    <ul class="live-people">
      <li>
        <button type="button" aria-pressed={chosen === null} onClick={() => onChoose(null)}>
          Everybody
        </button>
      </li>
      {faces.map((face) => (
        <li key={face.track}>
          <button
            type="button"
            class={`tone-${chooseTone(face)}`}
            aria-pressed={chosen === face.track}
            onClick={() => onChoose(chosen === face.track ? null : face.track)}
          >
            <span class="live-swatch" data-uncertain={face.emotion === null} aria-hidden="true" />
            <span class="numbers">{face.track}</span> {face.emotion ?? "uncertain"}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Facts({ session }: { session: LiveSession }) {
  const { shown, read, delayMs } = session.pace.value;
  const isRemote = session.isRemote.value;
  return (
    <p class="live-facts soft numbers">
      {!isRemote && (
        <span class="live-promise">
          <Icon name="shield" /> This page reads the picture. Nothing leaves it.
        </span>
      )}
      <span data-testid="pace">
        {Math.round(shown)} pictures/s · {read.toFixed(read < 10 ? 1 : 0)} readings/s · {Math.round(delayMs)}{" "}
        ms
      </span>
      <span data-testid="means">{session.means.value}</span>
    </p>
  );
}

/** Tell a screen reader when somebody's label changes, not oftener than it can be heard. */
function useAnnouncements(faces: readonly Face[] | null): void {
  const last = useRef({ text: "", timeMs: 0 });
  const text = faces
    ?.map((face) => `${faces.length > 1 ? `${face.track}: ` : ""}${face.emotion ?? "uncertain"}`)
    .join(", ");
  useEffect(() => {
    if (text === undefined) return;
    const now = performance.now();
    if (text === last.current.text || now - last.current.timeMs < ANNOUNCE_EVERY_MS) return;
    last.current = { text, timeMs: now };
    announce(text === "" ? "Nobody is in the picture" : text);
  });
}

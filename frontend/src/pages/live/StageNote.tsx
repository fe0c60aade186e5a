/** What the picture itself cannot say: over it, and to a screen reader. */

import { useEffect, useRef } from "preact/hooks";
import { announce } from "../../ui/announce";
import type { LiveSession, Phase } from "./session";

const WAITING = "Waiting for the camera. The browser may ask for it.";
const SILENT = "The camera sends no pictures. Is it covered or in use?";

export function StageNote({ session }: { session: LiveSession }) {
  const phase = session.phase.value;
  const isSilent = session.isSilent.value;
  const before = useRef<Phase>("idle");
  useEffect(() => {
    if (phase === "camera") announce(WAITING);
    else if (phase === "networks") announce("Fetching the networks");
    else if (phase === "running" && before.current === "networks") announce("The networks are ready");
    before.current = phase;
  }, [phase]);
  useEffect(() => {
    if (isSilent) announce(SILENT);
  }, [isSilent]);
  const isFull = session.isFull.value;
  useEffect(() => {
    if (isFull) announce("The recording is full and has ended");
  }, [isFull]);

  if (phase === "camera") return <p class="live-note">{WAITING}</p>;
  if (phase === "networks") {
    const percent = Math.round(100 * session.progress.value);
    return (
      <p class="live-note">
        <span class="spinner" aria-hidden="true" />
        {percent < 100 ? `Fetching the networks: ${percent} %` : "Getting ready"}
      </p>
    );
  }
  if (isSilent) return <p class="live-note">{SILENT}</p>;
  if (session.isPaused.value) return <p class="live-note">Paused</p>;
  const frame = session.frame.value;
  if (phase === "running" && frame?.faces.length === 0)
    return <p class="live-note live-note-low">No face in sight</p>;
  return null;
}

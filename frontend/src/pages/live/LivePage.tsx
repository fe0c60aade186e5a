/** The device's own camera, read in the page. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../../ui/announce";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { LiveControls, RecordingNotice } from "./LiveControls";
import { LiveIntro } from "./LiveIntro";
import { LiveSide } from "./LiveSide";
import { drawOverlay, loadDrawings, type View } from "./overlay";
import { RemoteNotice, ServerOffer } from "./ServerNotices";
import { StageNote } from "./StageNote";
import { LiveSession, PACE_EVERY_MS } from "./session";
import "./live.css";

export default function LivePage() {
  const video = useRef<HTMLVideoElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [session, setSession] = useState<LiveSession | null>(null);
  const view = useSignal<View>({ mirror: true, emoji: false, chosen: null });

  useEffect(() => {
    const element = video.current as HTMLVideoElement;
    const created = new LiveSession(element, (faces) => {
      const size = created.frame.value?.size ?? [element.videoWidth || 1, element.videoHeight || 1];
      if (canvas.current) drawOverlay(canvas.current, faces, size, view.value);
    });
    setSession(created);
    const timer = setInterval(() => created.checkPace(), PACE_EVERY_MS);
    return () => {
      clearInterval(timer);
      created.stop();
    };
  }, []);

  const phase = session?.phase.value ?? "idle";
  const isOn = phase === "camera" || phase === "networks" || phase === "running";
  const change = (part: Partial<View>): void => {
    view.value = { ...view.value, ...part };
  };
  const isFacing = session?.isFacing.value ?? true;
  useEffect(() => change({ mirror: isFacing }), [isFacing]); // what a phone's back camera sees is no mirror's picture
  useEffect(loadDrawings, [view.value.emoji]); // also once more, should one not have come
  useEffect(() => session?.redraw(), [session, view.value]); // a paused picture is drawn by nothing else
  const stop = (): void => {
    session?.stop();
    announce("The camera is off");
  };

  return (
    <div class="page">
      <header class="page-heading">
        <h1>Live</h1>
        <p class="soft">Your own camera, and how the expressions of everybody in front of it read.</p>
      </header>
      {session?.error.value && <ErrorNotice error={session.error.value} onRetry={() => session.start()} />}
      {session && !isOn && session.rows.value > 0 && <RecordingNotice session={session} />}
      {session && phase === "offer" && <ServerOffer session={session} />}
      {session?.isRemote.value && phase === "running" && <RemoteNotice obstacle={session.obstacle.value} />}
      {session && phase === "idle" && <LiveIntro onStart={() => session.start()} />}
      <div class="live" hidden={!isOn}>
        <div class="live-main">
          <div class="live-stage" data-mirror={view.value.mirror}>
            <video ref={video} muted playsInline aria-label="Your camera" />
            <canvas ref={canvas} />
            {session && <StageNote session={session} />}
          </div>
          {session && isOn && (
            <LiveControls session={session} view={view.value} onView={change} onStop={stop} />
          )}
        </div>
        {session && isOn && (
          <LiveSide session={session} chosen={view.value.chosen} onChoose={(chosen) => change({ chosen })} />
        )}
      </div>
    </div>
  );
}

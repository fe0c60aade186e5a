/** The participant's own picture, and what is read in it; both stay here. */

import { useEffect, useRef } from "preact/hooks";
import { ErrorNotice } from "../../ui/ErrorNotice";
import type { CameraReader } from "./camera";
import { OptionSign } from "./RoomIcon";

export function CameraView({ camera }: { camera: CameraReader }) {
  const video = useRef<HTMLVideoElement>(null);
  const phase = camera.phase.value;
  const stream = camera.stream.value;
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
  }, [stream]);

  if (phase === "failed" && camera.error.value) {
    return <ErrorNotice error={camera.error.value} onRetry={() => camera.start()} />;
  }
  if (phase === "off") return null;
  const latest = camera.latest.value;
  return (
    <div class="camera-view">
      <video ref={video} autoplay muted playsInline aria-label="Your camera" />
      {phase === "camera" && <p class="soft">Waiting for the camera. The browser may ask for it.</p>}
      {phase === "networks" && (
        <p class="soft numbers">
          {camera.progress.value < 1
            ? `Fetching the networks: ${Math.round(100 * camera.progress.value)} %`
            : "Getting ready"}
        </p>
      )}
      {phase === "on" && (
        <p class="camera-reading">
          {latest && <OptionSign option={latest} />}
          <span>{latest ? `Reads as ${latest}` : "No face, or uncertain"}</span>
        </p>
      )}
    </div>
  );
}

/** Take a picture with the device's own camera. It runs only while the dialog is open. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { CAMERA_LOST, closeCamera, explainCamera, openCamera } from "../../ui/camera";
import { nameByTime } from "../../ui/download";
import { ErrorNotice, type ErrorText } from "../../ui/ErrorNotice";
import { Icon } from "../../ui/Icon";

export function CameraDialog({
  onPicture,
  onClose,
}: {
  onPicture: (picture: File) => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [attempt, setAttempt] = useState(0);
  const [ready, setReady] = useState(false);
  const [error, setError] = useState<ErrorText | null>(null);
  const isTaking = useRef(false);

  // Before anything else is drawn or typed: a Tab that came first would lead past it.
  useLayoutEffect(() => dialog.current?.showModal(), []);

  useEffect(() => {
    let stream: MediaStream | null = null;
    let current = true;
    setError(null);
    setReady(false);
    openCamera().then(
      (opened) => {
        if (!current || !video.current) {
          closeCamera(opened);
          return;
        }
        stream = opened;
        video.current.srcObject = opened;
        opened.getVideoTracks()[0]?.addEventListener("ended", () => setError(CAMERA_LOST));
      },
      (reason: unknown) => {
        if (current) setError(explainCamera(reason));
      },
    );
    return () => {
      current = false;
      if (stream) closeCamera(stream);
    };
  }, [attempt]);

  const take = async (): Promise<void> => {
    const source = video.current;
    if (!source || isTaking.current) return; // a second click would take a second picture
    isTaking.current = true;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [source.videoWidth, source.videoHeight];
    canvas.getContext("2d")?.drawImage(source, 0, 0);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob) {
      isTaking.current = false;
      setError({ message: "The picture could not be taken", advice: "Try again." });
      return;
    }
    onPicture(new File([blob], nameByTime("camera", "jpg"), { type: "image/jpeg" }));
    dialog.current?.close(); // which gives the focus back, and is followed by onClose
  };

  return (
    <dialog ref={dialog} class="camera-dialog" aria-labelledby="camera-title" onClose={onClose}>
      <div class="camera-head">
        <h2 id="camera-title">Take a picture</h2>
        <button
          type="button"
          class="icon-button"
          aria-label="Stop the camera"
          onClick={() => dialog.current?.close()}
        >
          <Icon name="close" />
        </button>
      </div>
      {error ? (
        <ErrorNotice error={error} onRetry={() => setAttempt(attempt + 1)} />
      ) : (
        <div class="camera-picture">
          <video
            ref={video}
            autoplay
            muted
            playsInline
            onLoadedData={() => setReady(true)}
            aria-label="Camera"
          />
          {!ready && <p class="camera-wait">Waiting for the camera. The browser may ask for it.</p>}
        </div>
      )}
      <p class="soft">Only the picture that you take goes to the server, and is not kept there.</p>
      <div class="button-row">
        <button
          type="button"
          class="button button-primary"
          disabled={!ready || error !== null}
          onClick={take}
        >
          <Icon name="camera" /> Take it
        </button>
        <button type="button" class="button" onClick={() => dialog.current?.close()}>
          Stop
        </button>
      </div>
    </dialog>
  );
}

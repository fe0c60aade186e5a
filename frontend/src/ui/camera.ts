/** Cameras of this device, and why one cannot be had. */

import type { ErrorText } from "./ErrorNotice";

/** The camera's picture; the caller stops its tracks. Throws what `explainCamera` explains. */
export function openCamera(constraints: MediaTrackConstraints = {}): Promise<MediaStream> {
  if (!window.isSecureContext) return Promise.reject(new DOMException("", "SecurityError"));
  if (!navigator.mediaDevices?.getUserMedia) return Promise.reject(new DOMException("", "NotFoundError"));
  return navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: 1280 }, ...constraints },
    audio: false,
  });
}

export function closeCamera(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** What is said when a camera that was on is gone. */
export const CAMERA_LOST: ErrorText = {
  message: "The camera is lost",
  advice: "Connect it again, then try again.",
};

/** What is in the way of a camera, in words. */
export function explainCamera(reason: unknown): ErrorText {
  const name = reason instanceof DOMException ? reason.name : "";
  switch (name) {
    case "SecurityError":
      return {
        message: "Browsers give a camera only to secure pages",
        advice:
          "Open this page by https:// or, on the server's own machine, by http://127.0.0.1 or http://localhost.",
      };
    case "NotAllowedError":
      return {
        message: "The camera was refused",
        advice: "Allow it for this page in the browser's address bar, then try again.",
      };
    case "NotFoundError":
    case "OverconstrainedError":
      return { message: "No camera was found", advice: "Connect one, then try again." };
    case "NotReadableError":
    case "AbortError":
      return { message: "The camera is in use", advice: "Close the program that uses it, then try again." };
    default:
      return { message: "The camera does not start", advice: "Try again, or choose a photo." };
  }
}

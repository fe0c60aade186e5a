/** A part of the page for the wall: over everything, in the whole screen where the browser gives it. */

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const AROUND = ".shell-header, .shell-footer, .skip-link";

export function usePresenting(): [RefObject<HTMLElement | null>, boolean, (on: boolean) => void] {
  const section = useRef<HTMLElement>(null);
  const [isOn, setOn] = useState(false);

  useEffect(() => {
    if (!isOn) return;
    for (const element of document.querySelectorAll<HTMLElement>(AROUND)) element.inert = true;
    const leave = (): void => {
      if (document.fullscreenElement === null) setOn(false);
    };
    const close = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && document.querySelector("dialog[open]") === null) setOn(false);
    };
    document.addEventListener("fullscreenchange", leave);
    document.addEventListener("keydown", close);
    return () => {
      for (const element of document.querySelectorAll<HTMLElement>(AROUND)) element.inert = false;
      document.removeEventListener("fullscreenchange", leave);
      document.removeEventListener("keydown", close);
    };
  }, [isOn]);

  const present = (on: boolean): void => {
    setOn(on);
    // Without the whole screen (some phones) the whole window has to do.
    if (on) section.current?.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement !== null) void document.exitFullscreen();
  };
  return [section, isOn, present];
}

/** Where a film stands: of the video where there is one, else of the page's own. */

import type { RefObject } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";

export interface Playhead {
  /** s of the film. */
  time: number;
  playing: boolean;
  seek: (time: number) => void;
  /** Play or pause. */
  toggle: () => void;
}

export function usePlayhead(video: RefObject<HTMLVideoElement | null>, start: number): Playhead {
  const [time, setTime] = useState(start);
  const [playing, setPlaying] = useState(false);

  useEffect(() => {
    const player = video.current;
    if (!player) return;
    let request = 0;
    const follow = (): void => {
      setTime(player.currentTime);
      setPlaying(!player.paused && !player.ended);
      // Events of time come four times a second; the line is to move as the picture does.
      if (!player.paused && !player.ended) request = requestAnimationFrame(follow);
    };
    const names = ["play", "pause", "seeking", "seeked", "ended", "timeupdate", "loadedmetadata"];
    const restart = (): void => {
      cancelAnimationFrame(request);
      follow();
    };
    for (const name of names) player.addEventListener(name, restart);
    return () => {
      cancelAnimationFrame(request);
      for (const name of names) player.removeEventListener(name, restart);
    };
  }, [video.current]);

  const seek = useCallback((target: number): void => {
    setTime(target);
    if (video.current) video.current.currentTime = target;
  }, []);
  const toggle = useCallback((): void => {
    const player = video.current;
    if (!player) return;
    if (player.paused)
      void player.play().catch(() => undefined); // the player itself shows what it cannot play
    else player.pause();
  }, []);
  return { time, playing, seek, toggle };
}

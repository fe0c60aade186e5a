/** Where a film stands: of the video where there is one, else of the page's own. */

import { useCallback, useEffect, useState } from "preact/hooks";

export interface Playhead {
  /** s of the film. */
  time: number;
  /** The same while the film rests, and while it plays the place that it was last put to. */
  told: number;
  playing: boolean;
  seek: (time: number) => void;
  /** Play or pause. */
  toggle: () => void;
}

/** @param start of the first frame, s of the film: the player's 0. */
export function usePlayhead(player: HTMLVideoElement | null, start: number): Playhead {
  const [played, setPlayed] = useState(0); // since the first frame, so that a start may be told late
  const [told, setTold] = useState(0);
  const [playing, setPlaying] = useState(false);

  useEffect(() => {
    if (!player) {
      setPlaying(false);
      setTold(played);
      return;
    }
    if (played > 0) player.currentTime = played; // the one before it was lost on the way
    let request = 0;
    const follow = (): void => {
      const isPlaying = !player.paused && !player.ended;
      setPlayed(player.currentTime);
      setPlaying(isPlaying);
      if (!isPlaying || player.seeking) setTold(player.currentTime);
      // Events of time come four times a second; the line is to move as the picture does.
      if (isPlaying) request = requestAnimationFrame(follow);
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
  }, [player]);

  const seek = useCallback(
    (target: number): void => {
      const place = Math.max(0, target - start);
      setPlayed(place);
      setTold(place);
      if (player) player.currentTime = place;
    },
    [player, start],
  );
  const toggle = useCallback((): void => {
    if (!player) return;
    if (player.paused)
      void player.play().catch(() => undefined); // the player itself shows what it cannot play
    else player.pause();
  }, [player]);
  return { time: start + played, told: start + told, playing, seek, toggle };
}

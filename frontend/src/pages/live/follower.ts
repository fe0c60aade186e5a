/** Where faces are by now: answers come late and seldom, pictures come all the time. As `fervid.live.following`. */

import type { Face, Frame } from "../../api/types";
import { Motion } from "../../inference/motion";
import { type Box, centreOf } from "../../inference/picture";

/** Nobody knows where a face goes for longer than this. */
const AHEAD_S = 0.4;
/** Answers older than this are shown no longer. */
const STALE_S = 1.5;

export class FaceFollower {
  private frame: Frame | null = null;
  private readonly motions = new Map<number, Motion>();

  update(frame: Frame): void {
    const stepS = this.frame === null ? 0 : frame.time_s - this.frame.time_s;
    const known = new Map(this.motions);
    this.motions.clear();
    for (const { track, box } of frame.faces) {
      if (track === null) continue;
      const seen = toBox(box);
      const motion = known.get(track)?.predict(stepS) ?? new Motion(seen);
      if (known.has(track)) motion.correct(seen);
      this.motions.set(track, motion);
    }
    this.frame = frame;
  }

  clear(): void {
    this.frame = null;
    this.motions.clear();
  }

  /** The latest answer's faces, moved to where they are at a time; none when the answer is too old. */
  place(timeS: number): Face[] {
    if (this.frame === null || timeS - this.frame.time_s > STALE_S) return [];
    const aheadS = Math.min(Math.max(0, timeS - this.frame.time_s), AHEAD_S);
    return this.frame.faces.map((face) => this.move(face, aheadS));
  }

  private move(face: Face, aheadS: number): Face {
    const motion = face.track === null ? undefined : this.motions.get(face.track);
    if (motion === undefined || aheadS === 0) return face;
    const now = centreOf(motion.box);
    const later = centreOf(motion.predict(aheadS).box); // the filter's own place lags a little: only its step
    const [right, down] = [later.x - now.x, later.y - now.y];
    const [x1, y1, x2, y2] = face.box;
    return { ...face, box: [x1 + right, y1 + down, x2 + right, y2 + down] };
  }
}

function toBox([x1, y1, x2, y2]: Face["box"]): Box {
  return { x1, y1, x2, y2 };
}

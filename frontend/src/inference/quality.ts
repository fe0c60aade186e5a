/** How readable a face is: the same as `fervid.classification.quality`. */

import type { Quality } from "../api/types";
import { cropResize } from "./crop";
import type { Picture, Point, Square } from "./picture";

/** Faces are compared at this size, px. */
const SIDE = 48;

export function measureQuality(
  picture: Picture,
  square: Square,
  landmarks: readonly Point[] | null,
): Quality {
  const grey = cropResize(picture, square.box, SIDE, square.angleDeg);
  const { roll, yaw } = measurePose(landmarks);
  return { size_px: square.box.x2 - square.box.x1, sharpness: measureSharpness(grey), roll_deg: roll, yaw };
}

/** Variance of the Laplacian. */
function measureSharpness(grey: Float32Array): number {
  const at = (x: number, y: number) => grey[y * SIDE + x] as number;
  let sum = 0;
  let squares = 0;
  for (let y = 1; y < SIDE - 1; y++) {
    for (let x = 1; x < SIDE - 1; x++) {
      const value = at(x, y - 1) + at(x, y + 1) + at(x - 1, y) + at(x + 1, y) - 4 * at(x, y);
      sum += value;
      squares += value * value;
    }
  }
  const count = (SIDE - 2) ** 2;
  return Math.max(0, squares / count - (sum / count) ** 2);
}

function measurePose(landmarks: readonly Point[] | null): { roll: number | null; yaw: number | null } {
  const [right, left, nose] = landmarks ?? [];
  if (!right || !left || !nose) return { roll: null, yaw: null };
  const across = left.x - right.x;
  const down = left.y - right.y;
  const distance = Math.hypot(across, down);
  if (distance === 0) return { roll: null, yaw: null };
  const offsetX = nose.x - (right.x + left.x) / 2;
  const offsetY = nose.y - (right.y + left.y) / 2;
  return {
    roll: (Math.atan2(down, across) * 180) / Math.PI,
    yaw: (offsetX * across + offsetY * down) / distance ** 2,
  };
}

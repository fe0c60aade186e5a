/** What makes a face hard to read. */

import type { Quality } from "../../api/types";

export interface Hint {
  label: string;
  reason: string;
}

/** Below this many px across, the network sees an enlargement of little. */
const SMALL_PX = 32;
/** Of 142 faces in photos, 1 in 10 is less sharp; more than twice as many of those as of others are uncertain. */
const BLURRED = 60;
const TILTED_DEG = 20;
/** Share of the distance between the eyes by which the nose stands off their middle. */
const TURNED = 0.35;

/** Hints for one face, gravest first; none for a face that reads well. */
export function listHints(quality: Quality | null): Hint[] {
  if (!quality) return [];
  const hints: Hint[] = [];
  if (quality.size_px < SMALL_PX)
    hints.push({
      label: "small",
      reason: `The face is ${Math.round(quality.size_px)} px wide in the picture.`,
    });
  if (quality.sharpness < BLURRED) hints.push({ label: "blurred", reason: "The face has few sharp edges." });
  if (quality.yaw !== null && Math.abs(quality.yaw) > TURNED)
    hints.push({ label: "turned away", reason: "The face looks to the side." });
  if (quality.roll_deg !== null && Math.abs(quality.roll_deg) > TILTED_DEG)
    hints.push({
      label: "tilted",
      reason: `The head is tilted by ${Math.round(Math.abs(quality.roll_deg))}°.`,
    });
  return hints;
}

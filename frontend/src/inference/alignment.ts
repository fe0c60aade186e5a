/** How far a face is tilted, from its five points: the same as `fervid.detection.alignment`. */

import type { Point } from "./picture";

/** Where the points of FER2013's faces lie in their square, as shares of its side. */
const MEAN_POINTS = [
  [0.318, 0.384],
  [0.681, 0.377],
  [0.503, 0.596],
  [0.353, 0.761],
  [0.659, 0.755],
] as const;
/** Faces tilted by no more are left as they are; those tilted by `TILTED` are turned wholly, between by a share; degrees. */
const UPRIGHT = 10;
const TILTED = 16;

/** Clockwise angle of a face, degrees: of the least-squares similarity from the mean points. */
function measureTilt(landmarks: readonly Point[]): number {
  const meanX = average(MEAN_POINTS.map(([x]) => x));
  const meanY = average(MEAN_POINTS.map(([, y]) => y));
  const centreX = average(landmarks.map(({ x }) => x));
  const centreY = average(landmarks.map(({ y }) => y));
  let along = 0;
  let across = 0;
  landmarks.forEach((point, i) => {
    const [x, y] = MEAN_POINTS[i] as readonly [number, number];
    const [mx, my, px, py] = [x - meanX, y - meanY, point.x - centreX, point.y - centreY];
    along += mx * px + my * py;
    across += mx * py - my * px;
  });
  return (Math.atan2(across, along) * 180) / Math.PI;
}

/** The angle to turn what is cut out by, degrees; 0 without points or when the face is nearly upright. */
export function chooseAngle(landmarks: readonly Point[] | null): number {
  if (landmarks === null) return 0;
  const tilt = measureTilt(landmarks);
  return tilt * Math.min(Math.max((Math.abs(tilt) - UPRIGHT) / (TILTED - UPRIGHT), 0), 1);
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Pictures and boxes, in px counted from the top left corner; boxes are half-open. */

export interface Picture {
  width: number;
  height: number;
  /** Bytes of a pixel: 1 grey, 3 RGB, 4 RGBA (alpha is not looked at). */
  channels: 1 | 3 | 4;
  data: Uint8Array | Uint8ClampedArray;
}

export interface Box {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

/** A square that may leave the picture, turned clockwise about its middle. */
export interface Square {
  box: Box;
  angleDeg: number;
}

export interface Point {
  x: number;
  y: number;
}

export function centreOf(box: Box): Point {
  return { x: (box.x1 + box.x2) / 2, y: (box.y1 + box.y2) / 2 };
}

export function areaOf(box: Box): number {
  return (box.x2 - box.x1) * (box.y2 - box.y1);
}

/** The square of that side around a point. */
export function squareAround(centre: Point, side: number): Box {
  const half = side / 2;
  return { x1: centre.x - half, y1: centre.y - half, x2: centre.x + half, y2: centre.y + half };
}

/** The central part of a box with `factor` of its width and height. */
export function shrinkBox(box: Box, factor: number): Box {
  const halfWidth = ((box.x2 - box.x1) / 2) * factor;
  const halfHeight = ((box.y2 - box.y1) / 2) * factor;
  const { x, y } = centreOf(box);
  return { x1: x - halfWidth, y1: y - halfHeight, x2: x + halfWidth, y2: y + halfHeight };
}

/** As Python rounds: halves to the even neighbour. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

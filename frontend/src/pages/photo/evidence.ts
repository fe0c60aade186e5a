/** Where in a face its expression was read, as a tint; the same as `src/fervid/drawing/evidence.py` draws. */

import { SPEAKS_AGAINST, SPEAKS_FOR } from "../../generated/vocabulary";

/** Of the strongest place; the face stays visible below it. */
const OPACITY = 0.62;
/** A map is shown relative to its strongest place, or to this many log-odds when that is weaker. */
const LEAST_STRONGEST = 4;
/** Share of the square's side over which the tint fades out. */
const BORDER = 0.06;

type Colour = readonly [number, number, number];

/**
 * Turn a square picture of a face grey and tint it.
 *
 * @param pixels RGBA, `side * side * 4`; changed in place.
 * @param map rows of places: what each adds to the log-odds.
 */
export function tintFace(pixels: Uint8ClampedArray, side: number, map: readonly (readonly number[])[]): void {
  const rows = map.length;
  const columns = map[0]?.length ?? 0;
  if (rows === 0 || columns === 0) return;
  const strongest = Math.max(LEAST_STRONGEST, ...map.flat().map(Math.abs));
  const across = Array.from({ length: side }, (_, x) => mix(x, side, columns));
  const [warm, cool] = [parseColour(SPEAKS_FOR), parseColour(SPEAKS_AGAINST)];
  for (let y = 0; y < side; y++) {
    const down = mix(y, side, rows);
    const [upper, lower] = [map[down.first] ?? [], map[down.second] ?? []];
    for (let x = 0; x < side; x++) {
      const { first, second, share, fade } = across[x] as Mixture;
      const above = (upper[first] ?? 0) * (1 - share) + (upper[second] ?? 0) * share;
      const below = (lower[first] ?? 0) * (1 - share) + (lower[second] ?? 0) * share;
      const strength = (above * (1 - down.share) + below * down.share) / strongest;
      tintPixel(pixels, 4 * (y * side + x), strength, fade * down.fade, strength > 0 ? warm : cool);
    }
  }
}

interface Mixture {
  first: number;
  second: number;
  /** How much of the second place counts. */
  share: number;
  fade: number;
}

/** Which of `count` places a pixel lies between, and how near it is to the edge. */
function mix(pixel: number, side: number, count: number): Mixture {
  const position = (pixel + 0.5) / side;
  const middle = Math.min(Math.max(position * count - 0.5, 0), count - 1);
  const first = Math.min(Math.floor(middle), Math.max(0, count - 2));
  return {
    first,
    second: Math.min(first + 1, count - 1),
    share: smooth(middle - first),
    fade: smooth(Math.min(1, Math.min(position, 1 - position) / BORDER)),
  };
}

/** Level at 0 and 1, so that no tint appears between two places that neither has. */
function smooth(share: number): number {
  return share * share * (3 - 2 * share);
}

function tintPixel(
  pixels: Uint8ClampedArray,
  at: number,
  strength: number,
  fade: number,
  colour: Colour,
): void {
  const [red, green, blue] = [pixels[at] ?? 0, pixels[at + 1] ?? 0, pixels[at + 2] ?? 0];
  const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
  const opacity = Math.min(1, Math.abs(strength)) * fade * OPACITY;
  for (const [channel, value] of [red, green, blue].entries()) {
    const faded = value + (grey - value) * fade;
    pixels[at + channel] = faded + ((colour[channel] ?? 0) - faded) * opacity;
  }
}

function parseColour(hex: string): Colour {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

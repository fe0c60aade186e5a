/** At which scales and in which tiles a picture is read: the same as `fervid.detection.passes`, which explains it. */

import { type Box, roundHalfEven } from "./picture";

const MAX_ENLARGEMENT = 2;
const LEAST_SIDE = 320;
const MOST_FOR_LEAST = 4;
const OVERLAP = 1 / 8;
const MARGIN = 0.1;
const SLACK = 1.5;
const COMFORT = 0.5;
const TALLEST = 1.1;
const MIN_STEP = 0.75;

/** One reading of the whole picture; tiles are px of the scaled picture. */
export interface Pass {
  width: number;
  height: number;
  tiles: Box[];
}

export interface Reach {
  /** Heights of the faces that the network finds, px of its input. */
  smallest: number;
  largest: number;
  /** Largest side of its input, px. */
  tile: number;
}

export function planPasses(width: number, height: number, minFace: number, reach: Reach): Pass[] {
  const { smallest, largest, tile } = reach;
  const whole = Math.min(1, tile / width, tile / height);
  const uncut = Math.min(largest, (tile * OVERLAP) / (1 + 2 * MARGIN));
  const biggest = Math.min(width, height);
  const needed = Math.min(MAX_ENLARGEMENT, smallest / minFace);
  let scale = Math.max(whole, needed, Math.min(MOST_FOR_LEAST, LEAST_SIDE / Math.max(width, height)));
  const passes: Pass[] = [];
  for (;;) {
    const columns = Math.max(1, roundHalfEven(width * scale));
    const rows = Math.max(1, roundHalfEven(height * scale));
    const tiles = splitTiles(columns, rows, tile);
    passes.push({ width: columns, height: rows, tiles });
    const found = tiles.length === 1 ? largest : uncut;
    if (found >= TALLEST * biggest * scale) return passes;
    const wanted = Math.min(whole, (COMFORT * largest) / biggest);
    scale = Math.min(Math.max(wanted, (scale * SLACK * smallest) / found), scale * MIN_STEP);
  }
}

function splitTiles(width: number, height: number, tile: number): Box[] {
  const columns = splitSide(width, tile);
  return splitSide(height, tile).flatMap(([y1, y2]) => columns.map(([x1, x2]) => ({ x1, y1, x2, y2 })));
}

function splitSide(length: number, limit: number): [number, number][] {
  if (length <= limit) return [[0, length]];
  const shared = Math.ceil(limit * OVERLAP);
  const count = Math.ceil((length - shared) / (limit - shared));
  const side = Math.ceil((length + (count - 1) * shared) / count);
  return Array.from({ length: count }, (_, i) => {
    const start = roundHalfEven((i * (length - side)) / (count - 1));
    return [start, start + side];
  });
}

/** Whether a box reaches to a seam of its tile, so that the face may go on beyond it. */
export function isCut(box: Box, tile: Box, pass: Pass): boolean {
  const margin = (box.y2 - box.y1) * MARGIN;
  return (
    (tile.x1 > 0 && box.x1 < tile.x1 + margin) ||
    (tile.y1 > 0 && box.y1 < tile.y1 + margin) ||
    (tile.x2 < pass.width && box.x2 > tile.x2 - margin) ||
    (tile.y2 < pass.height && box.y2 > tile.y2 - margin)
  );
}

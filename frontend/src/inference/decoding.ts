/** From outputs of YuNet's layout to boxes, scores and points: the same as `fervid.detection.decoding`. */

import { measureOverlap } from "./geometry";
import type { Box, Point } from "./picture";

const MAX_LOGARITHM = 20;
/** Cells whose boxes overlap a kept one by this much say together where it is. */
const AGREEING = 0.65;
/** Score from which a cell is heard in that. */
export const HEARD = 0.2;

type Four = [number, number, number, number];

export interface Detection {
  box: Box;
  score: number;
  /** Right eye, left eye, nose, right and left mouth corner (the person's right); null where nobody looked. */
  landmarks: Point[] | null;
}

/** Every cell's box, score and points from a score on, px of the network's input. */
export function decode(
  outputs: Record<string, Float32Array>,
  width: number,
  height: number,
  strides: readonly number[],
  scoreThreshold: number,
): Detection[] {
  const found: Detection[] = [];
  for (const stride of strides) {
    const columns = Math.floor(width / stride);
    const cells = columns * Math.floor(height / stride);
    const [classes, objectness, boxes, points] = ["cls", "obj", "bbox", "kps"].map(
      (kind) => outputs[`${kind}_${stride}`] as Float32Array,
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    for (let cell = 0; cell < cells; cell++) {
      const score = Math.sqrt(clip(classes[cell] as number) * clip(objectness[cell] as number));
      if (!(score >= scoreThreshold)) continue;
      const column = cell % columns;
      const row = Math.floor(cell / columns);
      const [x, y, logWidth, logHeight] = Array.from(boxes.subarray(4 * cell, 4 * cell + 4)) as Four;
      const centreX = (column + x) * stride;
      const centreY = (row + y) * stride;
      const halfWidth = (Math.exp(Math.min(logWidth, MAX_LOGARITHM)) * stride) / 2;
      const halfHeight = (Math.exp(Math.min(logHeight, MAX_LOGARITHM)) * stride) / 2;
      const landmarks = Array.from({ length: 5 }, (_, i) => ({
        x: ((points[10 * cell + 2 * i] as number) + column) * stride,
        y: ((points[10 * cell + 2 * i + 1] as number) + row) * stride,
      }));
      const box = {
        x1: centreX - halfWidth,
        y1: centreY - halfHeight,
        x2: centreX + halfWidth,
        y2: centreY + halfHeight,
      };
      found.push({ box, score, landmarks });
    }
  }
  return found;
}

/** Where the faces of `kept` are by all cells that see them, each counting by the square of its score. */
export function averageCells(cells: readonly Detection[], kept: readonly Detection[]): Detection[] {
  return kept.map((best) => {
    const floor = Math.min(HEARD, best.score);
    const voices = cells.filter(
      (cell) => cell === best || (cell.score >= floor && measureOverlap(best.box, cell.box) >= AGREEING),
    );
    const weights = voices.map((cell) => Math.max(cell.score, 1e-6) ** 2);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const mean = (read: (cell: Detection) => number): number =>
      voices.reduce((sum, cell, i) => sum + (weights[i] as number) * read(cell), 0) / total;
    const landmarks = best.landmarks?.map((_, i) => ({
      x: mean((cell) => cell.landmarks?.[i]?.x ?? 0),
      y: mean((cell) => cell.landmarks?.[i]?.y ?? 0),
    }));
    const box = {
      x1: mean((cell) => cell.box.x1),
      y1: mean((cell) => cell.box.y1),
      x2: mean((cell) => cell.box.x2),
      y2: mean((cell) => cell.box.y2),
    };
    return { box, score: best.score, landmarks: landmarks ?? null };
  });
}

function clip(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

/**
 * The one way to cut a face: a triangle kernel as wide as one source pixel when enlarging and as one target pixel when
 * reducing, borders repeated. The same as `fervid.imaging.crop_resize`, but for the last bits of a float64.
 */

import type { Box, Picture } from "./picture";

/** ITU-R BT.601. */
const RED = 0.299;
const GREEN = 0.587;
const BLUE = 0.114;

/** A part of a picture in grey levels 0–255. */
interface Grey {
  width: number;
  height: number;
  data: Float64Array;
}

/** For every target pixel the source pixels it is made of. */
interface Weights {
  /** The first source pixel that is used at all. */
  offset: number;
  /** How many there are from there on. */
  length: number;
  /** Of each target pixel: its first source pixel, counted from the offset. */
  starts: Int32Array;
  counts: Int32Array;
  /** `stride` weights for each target pixel. */
  values: Float64Array;
  stride: number;
}

/** Corners and angles are rounded to so many parts, so that the last bits of a detector's answer do not matter. */
const GRID = 64;

/** How many times finer the grid is that turned boxes are read from. */
const FINER = 3;

/**
 * Cut `box`, which may leave the picture, and resize it to `size` × `size` grey levels.
 *
 * With an angle, the box is turned clockwise about its middle. Where pixels are read turns, the kernel does not: it is
 * evaluated on an upright grid three times as fine, on which the unturned pixels' middles lie; what stands between is
 * read bilinearly.
 */
export function cropResize(picture: Picture, box: Box, size: number, angleDeg = 0): Float32Array {
  const snapped = { x1: snap(box.x1), y1: snap(box.y1), x2: snap(box.x2), y2: snap(box.y2) };
  const hasArea = snapped.x2 > snapped.x1 && snapped.y2 > snapped.y1;
  const angle = snap(angleDeg);
  return Float32Array.from(
    angle === 0
      ? resizeGrey(picture, hasArea ? snapped : box, size)
      : resizeTurned(picture, hasArea ? snapped : box, size, (angle * Math.PI) / 180),
  );
}

function snap(value: number): number {
  return Math.floor(value * GRID + 0.5) / GRID;
}

function resizeTurned(picture: Picture, box: Box, size: number, angle: number): Float64Array {
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  const fine = FINER * size;
  const margin = Math.ceil((fine / 2) * (Math.abs(cosine) + Math.abs(sine) - 1)) + 1;
  const wide = fine + 2 * margin;
  const across = ((box.x2 - box.x1) * margin) / fine;
  const down = ((box.y2 - box.y1) * margin) / fine;
  const around = { x1: box.x1 - across, y1: box.y1 - down, x2: box.x2 + across, y2: box.y2 + down };
  const sheet = resizeGrey(picture, around, wide, FINER);
  const result = new Float64Array(size * size);
  const middle = (wide - 1) / 2;
  for (let row = 0; row < size; row++) {
    const v = (row + 0.5 - size / 2) * FINER;
    for (let column = 0; column < size; column++) {
      const u = (column + 0.5 - size / 2) * FINER;
      const x = u * cosine - v * sine + middle;
      const y = u * sine + v * cosine + middle;
      const left = Math.trunc(x);
      const top = Math.trunc(y);
      const first = top * wide + left;
      const upper = mix(sheet, first, first + 1, x - left);
      const lower = mix(sheet, first + wide, first + wide + 1, x - left);
      result[row * size + column] = upper + (lower - upper) * (y - top);
    }
  }
  return result;
}

function mix(values: Float64Array, first: number, second: number, share: number): number {
  const value = values[first] as number;
  return value + ((values[second] as number) - value) * share;
}

/** By a kernel as wide as if there were `finer` times fewer pixels. */
function resizeGrey(picture: Picture, box: Box, size: number, finer = 1): Float64Array {
  const rows = weigh(box.y1, box.y2, size, picture.height, finer);
  const columns = weigh(box.x1, box.x2, size, picture.width, finer);
  const grey = toGrey(picture, columns.offset, rows.offset, columns.length, rows.length);
  const narrow = new Float64Array(size * grey.height);
  for (let x = 0; x < size; x++) {
    const start = columns.starts[x] as number;
    const count = columns.counts[x] as number;
    for (let y = 0; y < grey.height; y++) {
      let sum = 0;
      const from = y * grey.width + start;
      for (let i = 0; i < count; i++) {
        sum += (grey.data[from + i] as number) * (columns.values[x * columns.stride + i] as number);
      }
      narrow[y * size + x] = sum;
    }
  }
  const result = new Float64Array(size * size);
  for (let y = 0; y < size; y++) {
    const start = rows.starts[y] as number;
    const count = rows.counts[y] as number;
    for (let x = 0; x < size; x++) {
      let sum = 0;
      for (let i = 0; i < count; i++) {
        sum += (narrow[(start + i) * size + x] as number) * (rows.values[y * rows.stride + i] as number);
      }
      result[y * size + x] = Math.min(Math.max(sum, 0), 255);
    }
  }
  return result;
}

/** Which source pixels between 0 and `length` make up `size` target pixels of start–stop. */
function weigh(start: number, stop: number, size: number, length: number, finer: number): Weights {
  const scale = (stop - start) / size;
  const support = Math.max(1, scale * finer);
  const taps = Math.ceil(2 * support) + 2;
  const starts = new Int32Array(size);
  const counts = new Int32Array(size);
  const values = new Float64Array(size * taps);
  let offset = length;
  let end = 0;
  for (let target = 0; target < size; target++) {
    const centre = start + (target + 0.5) * scale;
    const first = Math.floor(centre - support);
    const lowest = clamp(first, length);
    const merged = new Float64Array(taps);
    let total = 0;
    for (let i = 0; i < taps; i++) {
      const weight = Math.max(0, 1 - Math.abs(first + i + 0.5 - centre) / support);
      total += weight;
      const place = clamp(first + i, length) - lowest;
      merged[place] = (merged[place] as number) + weight;
    }
    for (let i = 0; i < taps; i++) values[target * taps + i] = (merged[i] as number) / total;
    const highest = clamp(first + taps - 1, length);
    starts[target] = lowest;
    counts[target] = highest - lowest + 1;
    offset = Math.min(offset, lowest);
    end = Math.max(end, highest + 1);
  }
  for (let target = 0; target < size; target++) starts[target] = (starts[target] as number) - offset;
  return { offset, length: end - offset, starts, counts, values, stride: taps };
}

function clamp(index: number, length: number): number {
  return Math.min(Math.max(index, 0), length - 1);
}

function toGrey(picture: Picture, left: number, top: number, width: number, height: number): Grey {
  const { data, channels } = picture;
  const grey = new Float64Array(width * height);
  for (let y = 0; y < height; y++) {
    let from = ((top + y) * picture.width + left) * channels;
    for (let at = y * width; at < (y + 1) * width; at++, from += channels) {
      grey[at] =
        channels === 1
          ? (data[from] as number)
          : RED * (data[from] as number) +
            GREEN * (data[from + 1] as number) +
            BLUE * (data[from + 2] as number);
    }
  }
  return { width, height, data: grey };
}

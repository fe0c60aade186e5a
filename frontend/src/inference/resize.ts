/**
 * Pictures at the size a detector looks at, as `fervid.detection.resizing` makes them.
 *
 * The arithmetic is Pillow's (its `Resample.c` and `Reduce.c`): a triangle with antialiasing, in integers with 22 binary
 * places, first along rows, then along columns, rounded to bytes in between. The bytes are the same where both sides
 * change by much the same factor, as they do for detectors. Where the height shrinks more than the width, some
 * versions of Pillow take columns first, and values differ by a level here and there.
 */

import type { Box, Picture } from "./picture";

const PRECISION = 22;

/** RGB or grey, as the picture that it came from. */
export function resize(picture: Picture, width: number, height: number): Picture {
  return resizeRegion(picture, { x1: 0, y1: 0, x2: picture.width, y2: picture.height }, width, height);
}

/** Resize a part of a picture; pixels around it count where the kernel reaches there. Alpha is dropped. */
export function resizeRegion(picture: Picture, region: Box, width: number, height: number): Picture {
  const across = (region.x2 - region.x1) / width;
  const down = (region.y2 - region.y1) / height;
  if (across === 1 && down === 1 && Number.isInteger(region.x1) && Number.isInteger(region.y1)) {
    return cut(picture, region.x1, region.y1, region.x2, region.y2);
  }
  const marginX = Math.ceil(Math.max(1, across)) + 1;
  const marginY = Math.ceil(Math.max(1, down)) + 1;
  const blockX = Math.max(1, Math.floor(across)); // of pixels, counted from the corner: they are averaged first
  const blockY = Math.max(1, Math.floor(down));
  const nearX = Math.max(0, Math.floor(region.x1) - marginX);
  const nearY = Math.max(0, Math.floor(region.y1) - marginY);
  const left = nearX - (nearX % blockX);
  const top = nearY - (nearY % blockY);
  const right = Math.min(picture.width, Math.ceil(region.x2) + marginX);
  const bottom = Math.min(picture.height, Math.ceil(region.y2) + marginY);
  let part = cut(picture, left, top, right, bottom);
  let corners = { x1: region.x1 - left, y1: region.y1 - top, x2: region.x2 - left, y2: region.y2 - top };
  if (blockX > 1 || blockY > 1) {
    part = averageBlocks(part, blockX, blockY);
    corners = {
      x1: Math.min(corners.x1 / blockX, part.width),
      y1: Math.min(corners.y1 / blockY, part.height),
      x2: Math.min(corners.x2 / blockX, part.width),
      y2: Math.min(corners.y2 / blockY, part.height),
    };
  }
  return resample(part, corners, width, height);
}

/** A part on whole pixels, without alpha. */
function cut(picture: Picture, x1: number, y1: number, x2: number, y2: number): Picture {
  const width = x2 - x1;
  const height = y2 - y1;
  const channels = picture.channels === 1 ? 1 : 3;
  const whole = x1 === 0 && y1 === 0 && x2 === picture.width && y2 === picture.height;
  if (whole && channels === picture.channels) return picture;
  const data = new Uint8Array(width * height * channels);
  let to = 0;
  for (let y = y1; y < y2; y++) {
    let from = (y * picture.width + x1) * picture.channels;
    for (let x = 0; x < width; x++, from += picture.channels) {
      for (let c = 0; c < channels; c++) data[to++] = picture.data[from + c] as number;
    }
  }
  return { width, height, channels, data };
}

/** Means of blocks; those at the right and the lower end are smaller. */
function averageBlocks(picture: Picture, blockX: number, blockY: number): Picture {
  const { channels, data } = picture;
  const width = Math.ceil(picture.width / blockX);
  const height = Math.ceil(picture.height / blockY);
  const result = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const bottom = Math.min((y + 1) * blockY, picture.height);
    for (let x = 0; x < width; x++) {
      const right = Math.min((x + 1) * blockX, picture.width);
      const count = (right - x * blockX) * (bottom - y * blockY);
      const multiplier = Math.floor(Math.fround(2 ** 32 / (256 * count)));
      const half = Math.floor(count / 2);
      for (let c = 0; c < channels; c++) {
        let sum = half;
        for (let row = y * blockY; row < bottom; row++) {
          for (let column = x * blockX; column < right; column++) {
            sum += data[(row * picture.width + column) * channels + c] as number;
          }
        }
        result[(y * width + x) * channels + c] = Math.floor((sum * multiplier) / 2 ** 24);
      }
    }
  }
  return { width, height, channels: picture.channels, data: result };
}

interface Kernel {
  starts: Int32Array;
  counts: Int32Array;
  weights: Int32Array;
  stride: number;
}

function resample(picture: Picture, box: Box, width: number, height: number): Picture {
  const across = width !== picture.width || box.x1 !== 0 || box.x2 !== width;
  const down = height !== picture.height || box.y1 !== 0 || box.y2 !== height;
  const rows = makeKernel(picture.height, box.y1, box.y2, height);
  let top = 0;
  let part = picture;
  if (across) {
    top = rows.starts[0] as number;
    const bottom = (rows.starts[height - 1] as number) + (rows.counts[height - 1] as number);
    part = resampleRows(picture, makeKernel(picture.width, box.x1, box.x2, width), width, top, bottom);
  }
  return down ? resampleColumns(part, rows, height, top) : part;
}

function resampleRows(picture: Picture, kernel: Kernel, width: number, top: number, bottom: number): Picture {
  const { channels, data } = picture;
  const result = new Uint8Array(width * (bottom - top) * channels);
  let to = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = 0; x < width; x++) {
      const start = kernel.starts[x] as number;
      const count = kernel.counts[x] as number;
      for (let c = 0; c < channels; c++) {
        let from = (y * picture.width + start) * channels + c;
        let sum = 1 << (PRECISION - 1);
        for (let i = 0; i < count; i++, from += channels) {
          sum += (data[from] as number) * (kernel.weights[x * kernel.stride + i] as number);
        }
        result[to++] = Math.min(sum >> PRECISION, 255);
      }
    }
  }
  return { width, height: bottom - top, channels, data: result };
}

/** `top` is the row of the picture that is the part's first. */
function resampleColumns(part: Picture, kernel: Kernel, height: number, top: number): Picture {
  const { channels, data, width } = part;
  const line = width * channels;
  const result = new Uint8Array(line * height);
  const sums = new Int32Array(line);
  for (let y = 0; y < height; y++) {
    const start = (kernel.starts[y] as number) - top;
    const count = kernel.counts[y] as number;
    sums.fill(1 << (PRECISION - 1));
    for (let i = 0; i < count; i++) {
      const weight = kernel.weights[y * kernel.stride + i] as number;
      const from = (start + i) * line;
      for (let x = 0; x < line; x++) sums[x] = (sums[x] as number) + (data[from + x] as number) * weight;
    }
    for (let x = 0; x < line; x++) result[y * line + x] = Math.min((sums[x] as number) >> PRECISION, 255);
  }
  return { width, height, channels, data: result };
}

/** Corners are single-precision there; the rest is double. */
function makeKernel(length: number, start: number, stop: number, size: number): Kernel {
  const first = Math.fround(start);
  const scale = Math.fround(Math.fround(stop) - first) / size;
  const support = Math.max(1, scale);
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(size);
  const counts = new Int32Array(size);
  const weights = new Int32Array(size * stride);
  for (let target = 0; target < size; target++) {
    const centre = first + (target + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(length, Math.trunc(centre + support + 0.5));
    const values: number[] = [];
    let total = 0;
    for (let source = low; source < high; source++) {
      const value = Math.max(0, 1 - Math.abs((source - centre + 0.5) * (1 / support)));
      values.push(value);
      total += value;
    }
    values.forEach((value, i) => {
      weights[target * stride + i] = Math.trunc(0.5 + (total === 0 ? value : value / total) * 2 ** PRECISION);
    });
    starts[target] = low;
    counts[target] = high - low;
  }
  return { starts, counts, weights, stride };
}

/** The pictures of `update.py`, by the same formulas, and what Python made of them. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import type { Picture } from "../picture";

const REPOSITORY = join(process.cwd(), "..");

export const GOLDEN = JSON.parse(
  readFileSync(join(process.cwd(), "src", "inference", "golden", "golden.json"), "utf8"),
);

export function readBundled(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(REPOSITORY, "src", "fervid", "models", "bundled", name)));
}

export function makePicture(width: number, height: number, channels: 1 | 3 = 3): Picture {
  const data = new Uint8Array(width * height * channels);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        const noise = (x * 73 + y * 151 + c * 31 + x * y * 7) % 64;
        const edges = ((Math.floor(x / 11) + Math.floor(y / 7)) % 2) * 60;
        data[at++] = (x * 3 + y * 2 + c * 40 + noise + edges) % 256;
      }
    }
  }
  return { width, height, channels, data };
}

/** Numbers of 0–1 that single precision holds exactly. */
export function makeValues(count: number, seed: number): Float32Array {
  let state = BigInt(seed);
  return Float32Array.from({ length: count }, () => {
    state = (state * 1103515245n + 12345n) % 2n ** 31n;
    return Number(state >> 15n) / 65536;
  });
}

/** The portrait's chip, four times as large, on a slope. */
export function makeScene(): Picture {
  const chip = readGreyPng(join(REPOSITORY, "tests", "golden", "astronaut.png"));
  const data = new Uint8Array(320 * 240 * 3);
  for (let y = 0; y < 240; y++) {
    for (let x = 0; x < 320; x++) {
      const isInside = x >= 64 && x < 256 && y >= 24 && y < 216;
      const level = isInside
        ? (chip.data[Math.floor((y - 24) / 4) * chip.width + Math.floor((x - 64) / 4)] as number)
        : Math.floor(x / 4) + 60;
      data.fill(level, 3 * (y * 320 + x), 3 * (y * 320 + x) + 3);
    }
  }
  return { width: 320, height: 240, channels: 3, data };
}

/** Frames of one scene, moved and flashed over, and of others; two have black borders, the last another size. */
export function makeFilm(): Picture[] {
  const scene = makeScene();
  const other = makePicture(320, 240);
  const change = (picture: Picture, level: (level: number, at: number) => number): Picture => ({
    ...picture,
    data: picture.data.map(level),
  });
  const frame = (picture: Picture) =>
    change(picture, (level, at) => (at < 40 * 960 || at >= 200 * 960 ? 0 : level));
  const moved = change(scene, (level, at) => (at % 960 < 912 ? (scene.data[at + 48] as number) : level));
  const bright = change(scene, (level) => Math.min(level, 175) + 80);
  const dark = change(scene, () => 0);
  const narrow = { ...scene, width: 300, data: scene.data.filter((_, at) => at % 960 < 900) };
  return [scene, moved, bright, other, scene, frame(scene), frame(other), dark, scene, narrow];
}

export function digest(data: Uint8Array | Uint8ClampedArray): string {
  return createHash("sha256").update(data).digest("hex");
}

/** An 8-bit grey PNG without interlacing. */
function readGreyPng(path: string): Picture {
  const file = readFileSync(path);
  const packed: Buffer[] = [];
  let width = 0;
  let height = 0;
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const kind = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)];
    if (kind === "IDAT") packed.push(body);
    at += length + 12;
  }
  const lines = inflateSync(Buffer.concat(packed));
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (width + 1)];
    for (let x = 0; x < width; x++) {
      const left = x > 0 ? (data[y * width + x - 1] as number) : 0;
      const above = y > 0 ? (data[(y - 1) * width + x] as number) : 0;
      const corner = x > 0 && y > 0 ? (data[(y - 1) * width + x - 1] as number) : 0;
      const base = [0, left, above, (left + above) >> 1, predict(left, above, corner)][
        filter as number
      ] as number;
      data[y * width + x] = (lines[y * (width + 1) + 1 + x] as number) + base;
    }
  }
  return { width, height, channels: 1, data };
}

/** Paeth's predictor. */
function predict(left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const [a, b, c] = [left, above, corner].map((value) => Math.abs(estimate - value)) as [
    number,
    number,
    number,
  ];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

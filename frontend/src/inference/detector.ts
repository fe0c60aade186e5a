/** A network that looks for faces in pictures of any size: the same as `fervid.detection.network`. */

import { chooseAngle } from "./alignment";
import { averageCells, type Detection, decode, HEARD } from "./decoding";
import { suppressOverlaps } from "./geometry";
import type { Network } from "./network";
import { isCut, type Pass, planPasses } from "./passes";
import {
  type Box,
  centreOf,
  type Picture,
  type Point,
  roundHalfEven,
  type Square,
  squareAround,
} from "./picture";
import { resize, resizeRegion } from "./resize";
import type { DetectorSpec } from "./specs";

const TILE = 1280;
const CONTAINMENT = 0.6;
/** Height of a face that the detector finds easily, px: pictures are reduced until the smallest one wanted has it. */
const EASY_FACE = 20;
/** Pictures are reduced to this share of their width at most, or not at all. */
const WORTHWHILE = 0.8;

export class Detector {
  readonly spec: DetectorSpec;
  private readonly network: Network;
  private readonly outputs: string[];

  constructor(network: Network, spec: DetectorSpec) {
    this.network = network;
    this.spec = spec;
    this.outputs = ["cls", "obj", "bbox", "kps"].flatMap((kind) =>
      spec.strides.map((stride) => `${kind}_${stride}`),
    );
  }

  /** The face's square in the framing that expression networks know, turned as the face is. */
  frame(box: Box, landmarks: readonly Point[] | null): Square {
    const [scale, shiftX, shiftY] = this.spec.framing;
    const side = (box.y2 - box.y1) * scale;
    const { x, y } = centreOf(box);
    const square = squareAround({ x: x + shiftX * side, y: y + shiftY * side }, side);
    return { box: square, angleDeg: chooseAngle(landmarks) };
  }

  /** Faces whose box is at least `minFace` px high, searched at the scale that the smallest of them need. */
  async detectReduced(picture: Picture, minFace: number, scoreThreshold: number): Promise<Detection[]> {
    const factor = EASY_FACE / minFace;
    if (factor > WORTHWHILE) return this.detect(picture, minFace, scoreThreshold);
    const width = Math.max(1, roundHalfEven(picture.width * factor));
    const height = Math.max(1, roundHalfEven(picture.height * factor));
    const across = picture.width / width;
    const down = picture.height / height;
    const found = await this.detect(resize(picture, width, height), minFace / down, scoreThreshold);
    return found.map((detection) => scaleDetection(detection, across, down));
  }

  /** Faces whose box is at least `minFace` px high, best first, everything that is there. */
  async detect(picture: Picture, minFace: number, scoreThreshold: number): Promise<Detection[]> {
    const reach = { smallest: this.spec.smallest_face, largest: this.spec.largest_face, tile: TILE };
    const found: Detection[] = [];
    for (const [i, pass] of planPasses(picture.width, picture.height, minFace, reach).entries()) {
      // A finer pass has read what is lower than the network finds: what a coarser one sees there is mostly no face.
      const least = i === 0 ? 0 : (reach.smallest * picture.height) / pass.height;
      for (const tile of pass.tiles)
        found.push(...(await this.read(picture, pass, tile, Math.max(minFace, least), scoreThreshold)));
    }
    return suppressOverlaps(found, this.spec.overlap_threshold, CONTAINMENT).map((detection) => ({
      ...detection,
      score: Math.min(1, detection.score),
    }));
  }

  release(): Promise<void> {
    return this.network.release();
  }

  /** What one tile of one pass shows, px of the picture. */
  private async read(
    picture: Picture,
    pass: Pass,
    tile: Box,
    minFace: number,
    scoreThreshold: number,
  ): Promise<Detection[]> {
    const across = picture.width / pass.width;
    const down = picture.height / pass.height;
    const region = { x1: tile.x1 * across, y1: tile.y1 * down, x2: tile.x2 * across, y2: tile.y2 * down };
    const part = resizeRegion(picture, region, tile.x2 - tile.x1, tile.y2 - tile.y1);
    const cells = await this.look(part, Math.min(HEARD, scoreThreshold));
    const kept = suppressOverlaps(cells, this.spec.overlap_threshold).filter(
      ({ score }) => score >= scoreThreshold,
    );
    return averageCells(cells, kept)
      .map(({ box, score, landmarks }) => ({
        box: moveBox(box, tile.x1, tile.y1),
        score,
        landmarks: landmarks?.map(({ x, y }) => ({ x: x + tile.x1, y: y + tile.y1 })) ?? null,
      }))
      .filter(({ box }) => (box.y2 - box.y1) * down >= minFace && !isCut(box, tile, pass))
      .map((detection) => scaleDetection(detection, across, down));
  }

  /** Run the network on a picture that it can take in one piece, px of that picture. */
  private async look(picture: Picture, scoreThreshold: number): Promise<Detection[]> {
    const step = this.spec.strides[this.spec.strides.length - 1] as number;
    const columns = Math.ceil(picture.width / step) * step;
    const rows = Math.ceil(picture.height / step) * step;
    const tensor =
      this.spec.layout === "pixels"
        ? { data: this.toPixels(picture, columns, rows), dims: [1, rows, columns, 3] }
        : { data: this.toPlanes(picture, columns, rows), dims: [1, 3, rows, columns] };
    const outputs = await this.network.run(tensor, this.outputs);
    return decode(outputs, columns, rows, this.spec.strides, scoreThreshold);
  }

  /** Pixels as they are; what lies beyond the picture is black. */
  private toPixels(picture: Picture, columns: number, rows: number): Uint8Array {
    const { data, channels, width, height } = picture;
    const step = channels === 1 ? 0 : 1;
    const first = this.spec.colour_order === "RGB" ? 0 : 2 * step;
    const last = 2 * step - first;
    const tensor = new Uint8Array(3 * rows * columns);
    for (let y = 0; y < height; y++) {
      let from = y * width * channels;
      let to = 3 * y * columns;
      for (let x = 0; x < width; x++, from += channels) {
        tensor[to++] = data[from + first] as number;
        tensor[to++] = data[from + step] as number;
        tensor[to++] = data[from + last] as number;
      }
    }
    return tensor;
  }

  /** Channels one after the other; what lies beyond the picture is black. */
  private toPlanes(picture: Picture, columns: number, rows: number): Float32Array {
    const { mean, std, colour_order } = this.spec;
    const { data, channels, width, height } = picture;
    const tensor = new Float32Array(3 * rows * columns);
    if (mean !== 0) tensor.fill(-mean / std);
    for (let channel = 0; channel < 3; channel++) {
      const source = channels === 1 ? 0 : colour_order === "RGB" ? channel : 2 - channel;
      for (let y = 0; y < height; y++) {
        let from = y * width * channels + source;
        let to = (channel * rows + y) * columns;
        for (let x = 0; x < width; x++, from += channels)
          tensor[to++] = ((data[from] as number) - mean) / std;
      }
    }
    return tensor;
  }
}

function moveBox(box: Box, right: number, down: number): Box {
  return { x1: box.x1 + right, y1: box.y1 + down, x2: box.x2 + right, y2: box.y2 + down };
}

function scaleDetection({ box, score, landmarks }: Detection, across: number, down: number): Detection {
  return {
    box: { x1: box.x1 * across, y1: box.y1 * down, x2: box.x2 * across, y2: box.y2 * down },
    score,
    landmarks: landmarks?.map(({ x, y }) => ({ x: x * across, y: y * down })) ?? null,
  };
}

/** What is drawn over the camera's picture: frames, labels, bars of shares, or emoji. */

import type { Face } from "../../api/types";
import {
  COLOURS,
  EMOJI,
  EMOTIONS,
  type Emotion,
  INK,
  PAPER,
  STACKING,
  TEXT_COLOURS,
  UNCERTAIN_COLOUR,
} from "../../generated/vocabulary";
import { basisOf, findTop } from "../../ui/expression";
import { formatPercent } from "../../ui/format";

export interface View {
  mirror: boolean;
  emoji: boolean;
  /** The person who was chosen; the others are drawn plainer, not fainter: what they read as stays readable. */
  chosen: number | null;
}

interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Side of an emoji over a face, as a share of the box's longer side: hair line to chin. */
const COVER = 1.22;
/** Labels of narrower faces leave the share out, px on screen. */
const NARROW = 64;

const drawings = new Map<string, HTMLImageElement>();

/** The expression whose drawing and colour a face has: its label, which gives way more slowly than the shares. */
export function chooseTone(face: Pick<Face, "emotion" | "probabilities" | "smoothed">): Emotion {
  return face.emotion ?? findTop(basisOf(face));
}

/** Fetch the drawings that are not there, so that the first emoji does not wait. */
export function loadDrawings(): void {
  for (const emotion of EMOTIONS) {
    if (drawings.has(emotion)) continue;
    const image = new Image();
    image.onerror = () => drawings.delete(emotion);
    image.src = EMOJI[emotion];
    drawings.set(emotion, image);
  }
}

/**
 * Draw the faces of a picture of `size` over a canvas that shows it whole.
 *
 * The canvas has as many pixels as the screen has there.
 */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  faces: readonly Face[],
  size: readonly [number, number],
  view: View,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const scale = width / size[0];
  const isChosen = (face: Face): boolean => view.chosen !== null && face.track === view.chosen;
  const isOneChosen = faces.some(isChosen);
  const byDepth = [...faces].sort(
    (a, b) => Number(isChosen(a)) - Number(isChosen(b)) || a.box[3] - a.box[1] - (b.box[3] - b.box[1]),
  );
  for (const face of byDepth) {
    const [x1, y1, x2, y2] = face.box.map((value) => value * scale) as Face["box"];
    const place = { x: view.mirror ? width - x2 : x1, y: y1, width: x2 - x1, height: y2 - y1 };
    if (view.emoji) drawEmoji(context, face, place, view.mirror, isChosen(face));
    else drawFrame(context, face, place, width, height, isOneChosen && !isChosen(face));
  }
}

function drawEmoji(
  context: CanvasRenderingContext2D,
  face: Face,
  place: Place,
  mirror: boolean,
  isRinged: boolean,
): void {
  const image = drawings.get(chooseTone(face));
  if (!image?.complete || image.naturalWidth === 0) return; // one that did not come is complete, and without a size
  const side = Math.max(place.width, place.height) * COVER;
  const tilt = ((face.quality?.roll_deg ?? 0) * Math.PI) / 180;
  context.save();
  context.translate(place.x + place.width / 2, place.y + place.height / 2);
  context.rotate(mirror ? -tilt : tilt);
  context.drawImage(image, -side / 2, -side / 2, side, side);
  if (isRinged) {
    const line = Math.max(3, side / 30);
    for (const [colour, wide] of [
      [INK, 2 * line],
      [PAPER, line],
    ] as const) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.beginPath();
      context.arc(0, 0, side / 2 + line, 0, 2 * Math.PI);
      context.stroke();
    }
  }
  context.restore();
}

function drawFrame(
  context: CanvasRenderingContext2D,
  face: Face,
  place: Place,
  width: number,
  height: number,
  isAside: boolean,
): void {
  const line = isAside ? 1.5 : Math.min(Math.max(2, place.height / 45), 5);
  const colour = face.emotion === null ? UNCERTAIN_COLOUR : COLOURS[face.emotion];
  const radius = Math.min(place.width, place.height) * 0.06 + line;
  context.lineJoin = "round";
  context.beginPath();
  context.roundRect(place.x, place.y, place.width, place.height, radius);
  context.setLineDash([]);
  context.strokeStyle = `${INK}a0`;
  context.lineWidth = line + 2;
  context.stroke();
  context.setLineDash(face.emotion === null ? [3 * line, 2.5 * line] : []);
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.stroke();
  context.setLineDash([]);

  const isNarrow = place.width < NARROW;
  const font = Math.min(Math.max(isNarrow ? 11 : 13, place.height / 9), 22);
  const plate = font * 1.6;
  const bar = Math.max(5, font * 0.4);
  const text = writeLabel(face, isNarrow);
  context.font = `650 ${font}px system-ui, sans-serif`;
  const wide = Math.min(context.measureText(text).width + font, width);
  const isAbove = place.y - line - plate >= 0;
  const x = Math.min(Math.max(0, place.x - line / 2), Math.max(0, width - wide));
  const y = isAbove ? place.y - line - plate : Math.min(place.y + place.height + line, height - plate);
  context.fillStyle = isAside ? INK : colour;
  context.beginPath();
  context.roundRect(x, y, wide, plate, font * 0.3);
  context.fill();
  context.fillStyle = isAside ? PAPER : face.emotion === null ? INK : TEXT_COLOURS[face.emotion];
  context.textBaseline = "middle";
  context.fillText(text, x + font / 2, y + plate / 2 + 0.5, wide - font);
  if (isAside) return;
  drawBar(
    context,
    face,
    { x: place.x, y: place.y + place.height - bar - line, width: place.width, height: bar },
    line,
  );
}

/** The shares side by side along the frame's lower edge. */
function drawBar(context: CanvasRenderingContext2D, face: Face, place: Place, inset: number): void {
  const shares = basisOf(face);
  let x = place.x + inset * 1.5;
  const room = place.width - inset * 3;
  context.fillStyle = `${INK}90`;
  context.fillRect(x - 1, place.y - 1, room + 2, place.height + 2);
  for (const emotion of [...STACKING].reverse()) {
    const width = room * (shares[emotion] ?? 0);
    context.fillStyle = COLOURS[emotion];
    context.fillRect(x, place.y, width, place.height);
    x += width;
  }
}

function writeLabel(face: Face, isNarrow: boolean): string {
  const number = face.track === null ? "" : `${face.track} · `;
  if (face.emotion === null) return `${number}${isNarrow ? "?" : "uncertain"}`;
  return isNarrow ? `${number}${face.emotion}` : `${number}${face.emotion} ${formatPercent(face.confidence)}`;
}

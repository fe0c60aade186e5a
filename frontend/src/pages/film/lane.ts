/** A lane on a canvas. */

import type { TimelineTrack } from "../../api/types";
import { COLOURS } from "../../generated/vocabulary";
import { layOutLane, type View } from "./geometry";

export interface LaneInk {
  /** Of time without a person. */
  empty: string;
  /** Of the hatching of uncertain time. */
  hatch: string;
  paper: string;
}

/** Draw a person's bins; the canvas takes the size that it has on the page. */
export function drawLane(canvas: HTMLCanvasElement, track: TimelineTrack, view: View, ink: LaneInk): void {
  const context = canvas.getContext("2d");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!context || width === 0) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.scale(ratio, ratio);
  context.fillStyle = ink.empty;
  context.fillRect(0, 0, width, height);
  const hatch = makeHatch(context, ink);
  for (const piece of layOutLane(track, view, width)) {
    context.fillStyle = piece.reading === "uncertain" ? hatch : COLOURS[piece.reading];
    // Half a px of overlap closes the seams between bins.
    context.fillRect(piece.x, piece.top * height, piece.width + 0.5, (piece.bottom - piece.top) * height);
  }
}

function makeHatch(context: CanvasRenderingContext2D, ink: LaneInk): CanvasPattern | string {
  const tile = new OffscreenCanvas(6, 6);
  const pen = tile.getContext("2d");
  if (!pen) return ink.hatch;
  pen.fillStyle = ink.paper;
  pen.fillRect(0, 0, 6, 6);
  pen.strokeStyle = ink.hatch;
  pen.lineWidth = 1.2;
  pen.beginPath();
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift - 1, 7);
    pen.lineTo(shift + 7, -1);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat") ?? ink.hatch;
}

/** The evidence of every face, laid over the picture. */

import { useEffect, useRef } from "preact/hooks";
import type { Evidence, Face } from "../../api/types";
import type { Emotion } from "../../generated/vocabulary";
import { tintFace } from "./evidence";

/** px; the tint is smooth, and a face needs no more. */
const LARGEST = 320;
/** px of the canvas; pictures of cameras have more than a screen shows. */
const WIDEST = 1600;

export function EvidenceCanvas({
  image,
  faces,
  explained,
}: {
  image: HTMLImageElement;
  faces: readonly Face[];
  explained: readonly Emotion[];
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const target = canvas.current;
    const context = target?.getContext("2d");
    if (!target || !context) return;
    const scale = Math.min(1, WIDEST / image.naturalWidth);
    target.width = Math.round(image.naturalWidth * scale);
    target.height = Math.round(image.naturalHeight * scale);
    for (const [index, face] of faces.entries()) {
      const map = face.evidence?.maps[explained[index] ?? "neutral"];
      if (face.evidence && map) drawEvidence(context, image, face.evidence, map, scale);
    }
  }, [image, faces, explained.join()]);
  return <canvas ref={canvas} class="stage-evidence" />;
}

function drawEvidence(
  context: CanvasRenderingContext2D,
  image: HTMLImageElement,
  evidence: Evidence,
  map: readonly (readonly number[])[],
  scale: number,
): void {
  const [x1, y1, x2, y2] = evidence.square;
  const turn = ((evidence.angle_deg ?? 0) * Math.PI) / 180;
  const side = Math.max(8, Math.min(LARGEST, Math.round((x2 - x1) * scale)));
  const cut = new OffscreenCanvas(side, side);
  const ink = cut.getContext("2d", { willReadFrequently: true });
  if (!ink) return;
  // The square upright, as the network sees it.
  ink.translate(side / 2, side / 2);
  ink.scale(side / (x2 - x1), side / (y2 - y1));
  ink.rotate(-turn);
  ink.drawImage(image, -(x1 + x2) / 2, -(y1 + y2) / 2);
  const pixels = ink.getImageData(0, 0, side, side);
  tintFace(pixels.data, side, map);
  ink.putImageData(pixels, 0, 0);

  context.save();
  context.translate((scale * (x1 + x2)) / 2, (scale * (y1 + y2)) / 2);
  context.rotate(turn);
  const [width, height] = [scale * (x2 - x1), scale * (y2 - y1)];
  context.drawImage(cut, -width / 2, -height / 2, width, height);
  context.restore();
}

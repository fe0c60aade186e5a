/** Draws bins on the canvas of a uPlot chart, which has the axes and the cursor. */

import type uPlot from "uplot";
import type { Mark, Option } from "../../api/rooms";
import { type Bin, stackShares } from "./rows";

/** Where a bin is, canvas px; bins that touch leave no seam. */
function place(chart: uPlot, bin: Bin): [left: number, width: number] {
  const left = Math.round(chart.valToPos(bin.start_s, "x", true));
  return [left, Math.max(1, Math.round(chart.valToPos(bin.end_s, "x", true)) - left)];
}

function clip(chart: uPlot, draw: (context: CanvasRenderingContext2D) => void): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx);
  ctx.restore();
}

export interface Paint {
  options: readonly Option[];
  colours: Readonly<Record<string, string>>;
  /** Of what may not be shown. */
  hatch: string;
  ink: string;
  /** Of lines and figures on the canvas, px of it. */
  unit: number;
}

/** Stacked shares; what may not be shown is hatched. */
export function paintShares(chart: uPlot, bins: readonly Bin[], paint: Paint): void {
  clip(chart, (context) => {
    for (const bin of bins) {
      const [left, width] = place(chart, bin);
      if (bin.shares === null) {
        hatch(context, left, chart.bbox.top, width, chart.bbox.height, paint);
        continue;
      }
      for (const { option, low, high } of stackShares(bin.shares, paint.options)) {
        const [bottom, top] = [low, high].map((share) => Math.round(chart.valToPos(share, "y", true)));
        context.fillStyle = paint.colours[option] ?? paint.ink;
        context.fillRect(left, top ?? 0, width, (bottom ?? 0) - (top ?? 0));
      }
    }
  });
}

/** How many are in the sums. */
export function paintPeople(chart: uPlot, bins: readonly Bin[], paint: Paint): void {
  clip(chart, (context) => {
    for (const bin of bins) {
      const [left, width] = place(chart, bin);
      if (bin.shares === null) {
        hatch(context, left, chart.bbox.top, width, chart.bbox.height, paint);
        continue;
      }
      const top = Math.round(chart.valToPos(bin.contributors, "y", true));
      context.fillStyle = paint.hatch;
      context.fillRect(left, top, width, chart.bbox.top + chart.bbox.height - top);
    }
  });
}

function hatch(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  width: number,
  height: number,
  paint: Paint,
): void {
  const step = 7 * paint.unit;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = paint.hatch;
  context.lineWidth = paint.unit;
  context.beginPath();
  // Lines stand at multiples of the step of the whole canvas, so that neighbours go on in each other.
  for (let x = Math.floor((left - height) / step) * step; x < left + width; x += step) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
  context.restore();
}

/** Lines at marks, with their numbers above. */
export function paintMarks(chart: uPlot, marks: readonly Mark[], paint: Paint, font: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.font = font;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillStyle = ctx.strokeStyle = paint.ink;
  ctx.lineWidth = 1.5 * paint.unit;
  let free = Number.NEGATIVE_INFINITY;
  marks.forEach((mark, index) => {
    const x = Math.round(chart.valToPos(mark.at_s, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    ctx.setLineDash([4 * paint.unit, 3 * paint.unit]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const text = String(index + 1);
    const half = ctx.measureText(text).width / 2 + 2 * paint.unit;
    if (x - half < free) return; // two numbers on each other are none
    ctx.fillText(text, x, bbox.top - 2 * paint.unit);
    free = x + half;
  });
  ctx.restore();
}

/** The CSV that every surface of fervid writes, made in the page; see `src/fervid/sinks/table.py`. */

import type { Analysis, Frame } from "../api/types";
import { COLUMNS, EMOTIONS } from "../generated/vocabulary";

type Cell = string | number | null;

/** Columns that hold whole numbers; all other numbers are floats and look like Python's. */
const WHOLE = new Set<string>(["frame", "face", "track"]);

/** A header and a row per face; pictures without faces give none. */
export function writeCsv(results: Iterable<Analysis | Frame>): string {
  const lines = [COLUMNS.join(",")];
  for (const result of results)
    for (const row of listRows(result))
      lines.push(COLUMNS.map((column, index) => writeCell(row[index] ?? null, WHOLE.has(column))).join(","));
  return `${lines.join("\n")}\n`;
}

function listRows(result: Analysis | Frame): Cell[][] {
  const [frame, time] = "frame" in result ? [result.frame, result.time_s] : [null, null];
  return result.faces.map((face, index) => [
    result.source,
    frame,
    time,
    index,
    face.track,
    ...face.box,
    face.score,
    face.emotion,
    face.confidence,
    ...EMOTIONS.map((emotion) => face.probabilities[emotion] ?? null),
    result.model,
  ]);
}

function writeCell(value: Cell, whole: boolean): string {
  if (value === null) return "";
  if (typeof value === "number") return whole ? String(value) : writeFloat(value);
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** A float as Python's `repr` writes it. */
function writeFloat(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential().replace(/e-(\d)$/, "e-0$1");
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

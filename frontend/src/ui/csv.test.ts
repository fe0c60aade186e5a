import { describe, expect, it } from "vitest";
import type { Analysis, Face, Frame } from "../api/types";
import { writeCsv } from "./csv";

const FACE: Face = {
  box: [182.85, 64, 269.88, 178.63],
  score: 0.956507,
  emotion: "happy",
  confidence: 0.968201,
  probabilities: {
    angry: 0.00345,
    disgust: 0.000012,
    fear: 0,
    happy: 0.968201,
    sad: 1,
    surprise: 0.5,
    neutral: 0.1,
  },
  votes: {},
  landmarks: null,
  quality: null,
  track: null,
};
const PHOTO: Analysis = {
  schema: "fervid/1",
  source: "me.jpg",
  size: [512, 512],
  model: "base@c23cd7c05347",
  detector: "faces",
  faces: [FACE],
};
const HEADER =
  "source,frame,time_s,face,track,x1,y1,x2,y2,score,emotion,confidence,p_angry,p_disgust,p_fear,p_happy,p_sad,p_surprise,p_neutral,model";

describe("writeCsv", () => {
  it("writes what Python writes", () => {
    // As `fervid image --csv` prints these values.
    const row =
      "me.jpg,,,0,,182.85,64.0,269.88,178.63,0.956507,happy,0.968201,0.00345,1.2e-05,0.0,0.968201,1.0,0.5,0.1,base@c23cd7c05347";
    expect(writeCsv([PHOTO])).toBe(`${HEADER}\n${row}\n`);
  });

  it("leaves empty what there is not", () => {
    const { disgust: _, ...six } = FACE.probabilities;
    const faces: Face[] = [{ ...FACE, emotion: null, probabilities: six, track: 3 }];
    const frame: Frame = { ...PHOTO, source: null, faces, frame: 12, time_s: 0.5 };
    const cells = writeCsv([frame]).split("\n")[1]?.split(",");
    expect(cells?.slice(0, 5)).toEqual(["", "12", "0.5", "0", "3"]);
    expect(cells?.[10]).toBe("");
    expect(cells?.[13]).toBe("");
  });

  it("quotes names and writes no row for a picture without faces", () => {
    const odd = { ...PHOTO, source: 'a "b", c.jpg' };
    expect(writeCsv([{ ...odd, faces: [] }])).toBe(`${HEADER}\n`);
    expect(writeCsv([odd]).split("\n")[1]).toMatch(/^"a ""b"", c\.jpg",,,0/);
  });
});

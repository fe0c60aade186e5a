// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Face } from "../../api/types";
import { EMOJI, EMOTIONS } from "../../generated/vocabulary";
import { drawOverlay, loadDrawings } from "./overlay";

const made: Drawing[] = [];

class Drawing {
  src = "";
  complete = false;
  naturalWidth = 0;
  onerror = () => {};

  constructor() {
    made.push(this);
  }
}

/** As a browser's: a broken image is an error to draw. */
const context = {
  setTransform: () => {},
  clearRect: () => {},
  save: () => {},
  translate: () => {},
  rotate: () => {},
  restore: () => {},
  drawImage: vi.fn((image: Drawing) => {
    if (image.naturalWidth === 0) throw new DOMException("broken", "InvalidStateError");
  }),
};

const FACE = {
  box: [10, 10, 60, 70],
  emotion: "happy",
  confidence: 0.4,
  probabilities: { happy: 0.4, sad: 0.6 },
  track: 1,
} as unknown as Face;

function draw(face: Face): string[] {
  context.drawImage.mockClear();
  const canvas = { clientWidth: 640, clientHeight: 480, width: 640, height: 480, getContext: () => context };
  const view = { mirror: false, emoji: true, chosen: null };
  drawOverlay(canvas as unknown as HTMLCanvasElement, [face], [640, 480], view);
  return context.drawImage.mock.calls.map(([image]) => image.src);
}

beforeEach(() => vi.stubGlobal("Image", Drawing));
afterEach(() => vi.unstubAllGlobals());

it("draws the emoji of the label, none that did not come, and fetches that again", () => {
  loadDrawings();
  loadDrawings();
  expect(made.map((image) => image.src)).toEqual(EMOTIONS.map((emotion) => EMOJI[emotion]));
  expect(draw(FACE)).toEqual([]);
  for (const image of made) Object.assign(image, { complete: true, naturalWidth: 200 });
  expect(draw(FACE)).toEqual([EMOJI.happy]);
  expect(draw({ ...FACE, emotion: null })).toEqual([EMOJI.sad]);

  const happy = made.find((image) => image.src === EMOJI.happy) as Drawing;
  happy.naturalWidth = 0; // complete, and broken
  expect(draw(FACE)).toEqual([]);
  happy.onerror();
  expect(draw(FACE)).toEqual([]);
  loadDrawings();
  const again = made.slice(EMOTIONS.length);
  expect(again.map((image) => image.src)).toEqual([EMOJI.happy]);
  Object.assign(again[0] as Drawing, { complete: true, naturalWidth: 200 });
  expect(draw(FACE)).toEqual([EMOJI.happy]);
});

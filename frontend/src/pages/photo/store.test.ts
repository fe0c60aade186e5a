// @vitest-environment happy-dom
import { beforeEach, expect, it, vi } from "vitest";
import { analyseImage, type ImageOptions } from "../../api/client";
import type { ImageAnswer } from "../../api/types";
import { announce } from "../../ui/announce";
import { addPhotos, photos, removeAllPhotos, removePhoto } from "./store";

vi.mock("../../api/client");
vi.mock("../../ui/announce");

interface Upload {
  signal: AbortSignal;
  answer: (answer: ImageAnswer) => void;
}
let uploads: Upload[];

beforeEach(() => {
  uploads = [];
  vi.mocked(announce).mockClear();
  vi.mocked(analyseImage).mockImplementation(
    (_: Blob, { signal }: ImageOptions = {}) =>
      new Promise((resolve, reject) => {
        uploads.push({ signal: signal as AbortSignal, answer: resolve });
        signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      }),
  );
});

const settle = () => new Promise((resolve) => setTimeout(resolve));
const said = () => vi.mocked(announce).mock.calls.map(([text]) => text);
const pick = (...names: string[]) =>
  addPhotos(names.map((name) => new File([], name, { type: "image/png" })));

it("sends no more of a photo that is removed, and goes on with the next", async () => {
  pick("a.png", "b.png", "c.png");
  const [first] = photos.value;
  if (first) removePhoto(first);
  await settle();
  expect(uploads.map(({ signal }) => signal.aborted)).toEqual([true, false, false]);
  removeAllPhotos();
  await settle();
  expect(uploads.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
  expect(said()).toEqual(["3 photos added", "a.png removed", "All photos removed"]);
});

it("says nothing of a photo whose answer comes too late", async () => {
  pick("late.png");
  uploads[0]?.answer({ faces: [] } as unknown as ImageAnswer);
  removeAllPhotos();
  await settle();
  expect(said()).toEqual(["late.png added", "All photos removed"]);
});

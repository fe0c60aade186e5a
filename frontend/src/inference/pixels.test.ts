// @vitest-environment node
import { describe, expect, it } from "vitest";
import { chooseAngle } from "./alignment";
import { cropResize } from "./crop";
import { CutDetector, makeThumbnail, measureLikeness } from "./cuts";
import { digest, GOLDEN, makeFilm, makePicture, makeScene } from "./golden/pictures";
import type { Picture } from "./picture";
import { resize, resizeRegion } from "./resize";

type Box4 = [number, number, number, number];

function withAlpha(picture: Picture): Picture {
  const data = new Uint8ClampedArray(picture.width * picture.height * 4).fill(255);
  for (let i = 0; i < picture.width * picture.height; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = picture.data[3 * i + c] as number;
  }
  return { ...picture, channels: 4, data };
}

it("the pictures are those that Python looked at", () => {
  expect(digest(makePicture(33, 22).data)).toBe(GOLDEN.picture_sha256);
  expect(digest(makeScene().data)).toBe(GOLDEN.scene_sha256);
});

describe("cropResize", () => {
  for (const { picture, box, size, angle, grey } of GOLDEN.crops) {
    it(`cuts ${box} turned by ${angle}° out of ${picture} as Python does`, () => {
      const [x1, y1, x2, y2] = box as Box4;
      const [width, height, channels] = picture as [number, number, 1 | 3];
      const whole = makePicture(width, height, channels);
      for (const source of channels === 3 ? [whole, withAlpha(whole)] : [whole]) {
        const found = cropResize(source, { x1, y1, x2, y2 }, size, angle);
        expect(found).toHaveLength(size ** 2);
        expect(grey).toHaveLength(size ** 2);
        const worst = Math.max(...found.map((value, i) => Math.abs(value - grey[i])));
        expect(worst).toBeLessThan(2e-3); // the file has three decimals
      }
    });
  }
});

describe("chooseAngle", () => {
  for (const { points, angle } of GOLDEN.tilts) {
    it(`turns by ${angle}° as Python does`, () => {
      expect(chooseAngle(points.map(([x, y]: [number, number]) => ({ x, y })))).toBeCloseTo(angle, 4);
    });
  }

  it("leaves faces without points upright", () => {
    expect(chooseAngle(null)).toBe(0);
  });
});

describe("cuts", () => {
  const { pictures, cuts, likeness } = GOLDEN.cuts;

  for (const { size, thumbnail } of pictures) {
    it(`are read from the thumbnail that Python makes of ${size}`, () => {
      const picture = makePicture(size[0], size[1]);
      for (const source of [picture, withAlpha(picture)]) expect(makeThumbnail(source)).toEqual(thumbnail);
    });
  }

  it("are where Python sees them", () => {
    const film = makeFilm();
    const detector = new CutDetector();
    expect(film.map((picture) => detector.detect(picture))).toEqual(cuts);
    expect(likeness).toHaveLength(film.length - 1);
    const thumbnails = film.map(makeThumbnail);
    likeness.forEach((value: number, i: number) => {
      expect(measureLikeness(thumbnails[i] ?? [], thumbnails[i + 1] ?? [])).toBeCloseTo(value, 4);
    });
  });
});

describe("resize", () => {
  it("makes Pillow's bytes of a whole picture", () => {
    const picture = makePicture(333, 222);
    expect(digest(resize(picture, 100, 70).data)).toBe(GOLDEN.resized_sha256);
    expect(digest(resize(withAlpha(picture), 100, 70).data)).toBe(GOLDEN.resized_sha256);
  });

  for (const { picture, region, size, sha256 } of GOLDEN.regions) {
    it(`makes Pillow's bytes of ${region} in ${picture} at ${size}`, () => {
      const [x1, y1, x2, y2] = region as Box4;
      const [width, height, channels] = picture as [number, number, 1 | 3];
      const result = resizeRegion(makePicture(width, height, channels), { x1, y1, x2, y2 }, size[0], size[1]);
      expect([result.width, result.height]).toEqual(size);
      expect(digest(result.data)).toBe(sha256);
    });
  }
});

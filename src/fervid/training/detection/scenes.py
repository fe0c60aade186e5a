"""Training pictures, composed of many: tiles of photos at all scales, with heads pasted in.

A mosaic (Bochkovskiy et al. 2020, arXiv:2004.10934) shows faces of several photos side by side. Scales are drawn so
that faces of every height occur: the photos hold few of 48–96 px and the head crops none smaller than 110.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from fervid.training.detection.config import DetectionConfig, SceneConfig
from fervid.training.detection.light import change_light, cover_faces
from fervid.training.detection.marks import Marks

Pixels = NDArray[np.uint8]
Window = tuple[int, int, int, int]
"""Left, top, right and bottom, px."""

SKIN: Final = np.array([1.0, 0.78, 0.66], dtype=np.float32)
"""Red, green and blue of a face's light parts, relative to red: what a grey head is tinted with."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded photo ``(H, W, 3)`` RGB and its faces."""

    pixels: Pixels
    marks: Marks


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """The photos to compose scenes of, by kind."""

    people: Sequence[Picture]
    heads: Sequence[Picture]
    background: Sequence[Picture]


def compose_scene(
    album: Album, config: DetectionConfig, rng: np.random.Generator, hardness: NDArray[np.floating]
) -> tuple[Pixels, Marks]:
    """One training picture ``(size, size, 3)`` and its faces.

    Args:
        album: the photos.
        config: the recipe.
        rng: of this scene alone.
        hardness: ``(background photos,)`` how often each is shown, relative to the others.
    """
    size, scenes = config.schedule.size, config.scenes
    chances = np.cumsum(hardness, dtype=np.float64)
    cells = 1 + int(rng.choice(3, p=np.array(scenes.grid) / sum(scenes.grid)))
    columns, rows = _draw_edges(cells, size, rng), _draw_edges(cells, size, rng)
    canvas = Image.new("RGB", (size, size))
    parts: list[Marks] = []
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            tile, marks = _make_tile(album, scenes, rng, chances, right - left, bottom - top)
            canvas.paste(tile, (left, top))
            parts.append(marks.place(1, 0, (0, 0), (left, top)))
    marks = Marks.join(parts)
    if rng.random() < scenes.pasted and album.heads:
        for _ in range(1 + int(rng.integers(scenes.pasted_most))):
            marks = _paste_head(canvas, marks, album, scenes, rng)
    if rng.random() < scenes.decoys:
        for _ in range(1 + int(rng.integers(scenes.pasted_most))):
            _paste_decoy(canvas, marks, album, scenes, rng, chances)
    pixels = cover_faces(np.array(canvas), marks, config.light, rng)
    return change_light(pixels, config.light, rng), marks


def _draw_edges(cells: int, size: int, rng: np.random.Generator) -> list[int]:
    """Where the tiles of a row or a column begin and end; none is narrower than half of its even share."""
    shares = rng.uniform(0.5, 1.5, cells) if cells > 1 else np.ones(1)
    return [0, *np.round(np.cumsum(shares) / shares.sum() * size).astype(int).tolist()]


def _make_tile(
    album: Album, scenes: SceneConfig, rng: np.random.Generator, chances: NDArray[np.float64], width: int, height: int
) -> tuple[Image.Image, Marks]:
    kind = rng.random()
    if kind < scenes.people and album.people:
        picture = album.people[int(rng.integers(len(album.people)))]
        scale = _draw_people_scale(picture, scenes, rng)
    elif kind < scenes.people + scenes.heads and album.heads:
        picture = album.heads[int(rng.integers(len(album.heads)))]
        side = max(picture.pixels.shape[:2])
        scale = _draw_between((0.35, 1.15), rng) * max(width, height) / side
        picture = Picture(_tint(picture.pixels, rng), picture.marks)
    else:
        picture, scale = _draw_background(album, rng, chances), _draw_between(scenes.background_zoom, rng)
    tile, window, marks = _render(picture, scale, width, height, scenes, rng)
    if window != (0, 0, width, height):
        filled = _fill(album, rng, chances, width, height)
        filled.paste(tile, window[:2])
        tile = filled
    if rng.random() < 0.5:
        return tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT), marks.mirror(width)
    return tile, marks


def _draw_between(ends: tuple[float, float], rng: np.random.Generator) -> float:
    """A number between two, all ratios alike."""
    return math.exp(float(rng.uniform(math.log(ends[0]), math.log(ends[1]))))


def _draw_people_scale(picture: Picture, scenes: SceneConfig, rng: np.random.Generator) -> float:
    boxes = picture.marks.boxes
    if len(boxes) and rng.random() < scenes.zoom:
        box = boxes[rng.integers(len(boxes))]
        scale = _draw_between(scenes.face_height, rng) / float(box[3] - box[1])
    else:
        scale = _draw_between((0.75, 1.35), rng)
    return min(max(scale, 0.3), scenes.largest_zoom)


def _draw_background(album: Album, rng: np.random.Generator, chances: NDArray[np.float64]) -> Picture:
    pool = album.background
    if not len(pool):
        return Picture(np.full((64, 64, 3), rng.integers(256), np.uint8), Marks.none())
    return pool[int(np.searchsorted(chances, rng.random() * chances[-1], side="right").clip(0, len(pool) - 1))]


def _fill(album: Album, rng: np.random.Generator, chances: NDArray[np.float64], width: int, height: int) -> Image.Image:
    """What lies around a picture that does not fill its tile: one colour, or a photo without a face."""
    if rng.random() < 0.35 or not len(album.background):
        colour = 0 if rng.random() < 0.5 else int(rng.integers(256))
        return Image.new("RGB", (width, height), (colour, colour, colour))
    pixels = _draw_background(album, rng, chances).pixels
    factor = max(width / pixels.shape[1], height / pixels.shape[0])
    w, h = width / factor, height / factor
    x, y = rng.random() * max(0.0, pixels.shape[1] - w), rng.random() * max(0.0, pixels.shape[0] - h)
    region = (x, y, min(x + w, pixels.shape[1]), min(y + h, pixels.shape[0]))
    return _enlarge(pixels, region, factor).resize((width, height))


def _render(
    picture: Picture, scale: float, width: int, height: int, scenes: SceneConfig, rng: np.random.Generator
) -> tuple[Image.Image, Window, Marks]:
    """A tile cut from a picture at a scale, and perhaps turned.

    Returns:
        What of the tile the picture fills, where in the tile it lies, and its marks.
    """
    size = picture.pixels.shape[1::-1]
    focus = _draw_focus(picture.marks, size, width / scale, height / scale, rng)
    angle = float(rng.uniform(-scenes.rotation, scenes.rotation)) if rng.random() < scenes.rotated else 0.0
    reach = (math.hypot(width, height),) * 2 if angle else (width, height)
    seen = _visible(focus, size, reach[0] / scale, reach[1] / scale)
    scaled = _enlarge(picture.pixels, seen, scale)
    offset = (width / 2 - (focus[0] - seen[0]) * scale, height / 2 - (focus[1] - seen[1]) * scale)
    left, top = round(offset[0]), round(offset[1])
    target = (width / 2 + left - offset[0], height / 2 + top - offset[1])  # whole pixels: where the focus really is
    marks = picture.marks.place(scale, angle, focus, target)
    if angle:
        tile = _turn(scaled, angle, (target[0] - left, target[1] - top), target, (width, height), rng)
        return tile, (0, 0, width, height), marks.cut((0, 0, width, height), scenes.smallest)
    window = (max(left, 0), max(top, 0), min(left + scaled.width, width), min(top + scaled.height, height))
    part = scaled.crop((window[0] - left, window[1] - top, window[2] - left, window[3] - top))
    return part, window, marks.cut(window, scenes.smallest)


def _enlarge(pixels: Pixels, region: tuple[float, float, float, float], scale: float) -> Image.Image:
    """A region of a picture, px, at a scale."""
    x1, y1, x2, y2 = region
    left, top = int(x1), int(y1)
    part = np.ascontiguousarray(pixels[top : math.ceil(y2), left : math.ceil(x2)])
    size = max(1, round((x2 - x1) * scale)), max(1, round((y2 - y1) * scale))
    box = (x1 - left, y1 - top, x2 - left, y2 - top)
    return Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


def _turn(
    image: Image.Image,
    angle: float,
    source: tuple[float, float],
    target: tuple[float, float],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Image.Image:
    """Turn a picture counter-clockwise about ``source``, which comes to lie on ``target``; one colour around it."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    coefficients = (
        *(cosine, -sine, source[0] - cosine * target[0] + sine * target[1]),
        *(sine, cosine, source[1] - sine * target[0] - cosine * target[1]),
    )
    fill = (int(rng.integers(256)) if rng.random() < 0.5 else 0,) * 3
    return image.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR, fillcolor=fill)


def _draw_focus(
    marks: Marks, size: tuple[int, int], width: float, height: float, rng: np.random.Generator
) -> tuple[float, float]:
    """The point of a picture that comes into the middle of a tile which shows width × height of its px.

    Mostly some face is in sight, anywhere in the tile.
    """
    if len(marks.boxes) and rng.random() < 0.8:
        box = marks.boxes[rng.integers(len(marks.boxes))]
        spread_x, spread_y = max(0.0, width - (box[2] - box[0])) / 2, max(0.0, height - (box[3] - box[1])) / 2
        x = (box[0] + box[2]) / 2 + rng.uniform(-spread_x, spread_x)
        y = (box[1] + box[3]) / 2 + rng.uniform(-spread_y, spread_y)
    else:
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    return _keep_inside(float(x), width, size[0]), _keep_inside(float(y), height, size[1])


def _keep_inside(middle: float, length: float, whole: float) -> float:
    """The nearest middle from which a window of that length shows nothing beyond the picture, if it can."""
    if length >= whole:  # then all of the picture, somewhere in the window
        return min(max(middle, whole - length / 2), length / 2)
    return min(max(middle, length / 2), whole - length / 2)


def _visible(
    focus: tuple[float, float], size: tuple[int, int], width: float, height: float
) -> tuple[float, float, float, float]:
    """The part of a picture within width × height px around a point, never empty."""
    x1, x2 = max(0.0, focus[0] - width / 2), min(float(size[0]), focus[0] + width / 2)
    y1, y2 = max(0.0, focus[1] - height / 2), min(float(size[1]), focus[1] + height / 2)
    return min(x1, size[0] - 1.0), min(y1, size[1] - 1.0), max(x2, x1 + 1), max(y2, y1 + 1)


def _tint(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Give a grey head colour, most of the time."""
    if rng.random() < 0.3:
        return pixels
    strength = float(rng.uniform(0.1, 1.1))
    gains = 1 + (SKIN - 1) * strength + rng.uniform(-0.06, 0.06, 3).astype(np.float32)
    tables = np.clip(np.arange(256, dtype=np.float32) * gains[:, None] * float(rng.uniform(0.9, 1.25)), 0, 255)
    return np.asarray(Image.fromarray(pixels).point(tables.astype(np.uint8).ravel().tolist()))


def _paste_head(
    canvas: Image.Image, marks: Marks, album: Album, scenes: SceneConfig, rng: np.random.Generator
) -> Marks:
    """Put one head, with soft edges, on a place where no face is."""
    picture = album.heads[int(rng.integers(len(album.heads)))]
    if len(picture.marks.boxes) != 1:
        return marks
    box = picture.marks.boxes[0]
    scale = _draw_between(scenes.pasted_height, rng) / float(box[3] - box[1])
    width, height = (max(8, round(side * scale)) for side in picture.pixels.shape[1::-1])
    size = canvas.width
    if width >= size or height >= size:
        return marks
    left, top = int(rng.integers(size - width)), int(rng.integers(size - height))
    window = (left, top, left + width, top + height)
    if len(marks.hide(window).boxes) < len(marks.boxes):
        return marks
    head = Image.fromarray(_tint(picture.pixels, rng)).resize((width, height), Image.Resampling.BILINEAR)
    own = picture.marks.place(width / picture.pixels.shape[1], 0, (0, 0), (0, 0))
    if rng.random() < 0.5:
        head, own = head.transpose(Image.Transpose.FLIP_LEFT_RIGHT), own.mirror(width)
    mask = _draw_mask(own.boxes[0], width, height, rng)
    if rng.random() < scenes.rotated:
        angle = float(rng.uniform(-scenes.rotation, scenes.rotation))
        head, mask = (layer.rotate(angle, Image.Resampling.BILINEAR) for layer in (head, mask))
        own = own.place(1, angle, (width / 2, height / 2), (width / 2, height / 2))
    canvas.paste(head, (left, top), mask)
    own = own.place(1, 0, (0, 0), (left, top)).cut(window, scenes.smallest)
    return Marks.join([marks.hide(window), own])


def _paste_decoy(
    canvas: Image.Image,
    marks: Marks,
    album: Album,
    scenes: SceneConfig,
    rng: np.random.Generator,
    chances: NDArray[np.float64],
) -> None:
    """Put something that is no face, in the shape of one and with soft edges, on a place where no face is."""
    height = max(8, round(_draw_between(scenes.pasted_height, rng)))
    width = max(8, round(height * float(rng.uniform(0.65, 1.0))))
    size, margin = canvas.width, height // 2
    if max(width, height) + 2 * margin >= size:
        return
    left, top = int(rng.integers(size - width - 2 * margin)), int(rng.integers(size - height - 2 * margin))
    window = (left, top, left + width + 2 * margin, top + height + 2 * margin)
    hidden = marks.hide(window)
    if len(hidden.boxes) < len(marks.boxes) or len(hidden.ignored) > len(marks.ignored):
        return
    around = (window[2] - window[0], window[3] - window[1])
    if rng.random() < 0.4:  # light on something smooth: a lamp, a ball, a reflection
        level, grain = float(rng.uniform(40, 255)), float(rng.uniform(0, 25))
        levels = level + rng.normal(0, 1, (around[1], around[0], 1)) * grain + rng.uniform(-12, 12, 3)
        decoy = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    else:
        decoy = _fill(album, rng, chances, *around)
    box = np.array([margin, margin, margin + width, margin + height], dtype=np.float32)
    mask = _draw_mask(box, *around, rng, whole=0.0)
    if rng.random() < 0.5:
        mask = mask.filter(ImageFilter.BoxBlur(float(rng.uniform(0.05, 0.35)) * height))
    canvas.paste(decoy, (left, top), mask)


def _draw_mask(
    box: NDArray[np.float32], width: int, height: int, rng: np.random.Generator, *, whole: float = 0.25
) -> Image.Image:
    """Opaque over a face and around it, an ellipse or a rounded rectangle with soft edges, sometimes the whole crop."""
    mask = Image.new("L", (width, height), 0)
    if rng.random() < whole:
        mask.paste(255, (0, 0, width, height))
        return mask
    grown = float(rng.uniform(0.02, 0.3))
    w, h = (box[2] - box[0]) * grown, (box[3] - box[1]) * grown
    around = (float(box[0] - w), float(box[1] - h), float(box[2] + w), float(box[3] + h))
    draw = ImageDraw.Draw(mask)
    if rng.random() < 0.6:
        draw.ellipse(around, fill=255)
    else:
        draw.rounded_rectangle(around, radius=0.25 * float(box[2] - box[0]), fill=255)
    return mask.filter(ImageFilter.BoxBlur(max(0.5, 0.03 * height)))

"""What light, camera, file and things in between do to a scene."""

from __future__ import annotations

import io
import math
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from fervid.training.detection.config import LightConfig
from fervid.training.detection.marks import Marks

Pixels = NDArray[np.uint8]

QUANTILES: Final = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
"""Of the normal distribution: a random byte is an index, far faster than drawing from it."""


def change_light(pixels: Pixels, config: LightConfig, rng: np.random.Generator) -> Pixels:
    """Another colour, gamma, contrast and brightness; perhaps blur, noise and JPEG. ``(H, W, 3)`` uint8 to the same."""
    if rng.random() < config.grey:
        weights = rng.dirichlet([3.0, 6.0, 1.5]).astype(np.float32)
        grey = np.clip(pixels.astype(np.float32) @ weights, 0, 255).astype(np.uint8)
        pixels = np.repeat(grey[..., None], 3, axis=2)
        gains = np.ones(3)
    else:
        gains = 1 + rng.uniform(-config.tint, config.tint, 3)
    pixels = _map_levels(pixels, config, gains, rng)
    if rng.random() < config.blur:
        image = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(float(rng.uniform(0.4, 1.8))))
        pixels = np.asarray(image)
    if rng.random() < config.noise:
        pixels = _add_noise(pixels, rng)
    if rng.random() < config.jpeg:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(25, 91)))
        pixels = np.asarray(Image.open(file))
    return np.ascontiguousarray(pixels)


def _map_levels(pixels: Pixels, config: LightConfig, gains: NDArray[np.float64], rng: np.random.Generator) -> Pixels:
    gamma = (1 - config.gamma) ** float(rng.uniform(-1, 1))
    contrast = 1 + float(rng.uniform(-config.contrast, config.contrast))
    shift = float(rng.uniform(-config.brightness, config.brightness))
    levels = (np.linspace(0, 1, 256) ** gamma - 0.5) * contrast + 0.5 + shift
    tables = np.rint(np.clip(levels * gains[:, None] * 255, 0, 255)).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).point(tables.ravel().tolist()))


def _add_noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    std = float(rng.uniform(3, 18))
    shape = (*pixels.shape[:2], 1 if rng.random() < 0.5 else 3)
    bytes_ = np.frombuffer(rng.bytes(math.prod(shape)), dtype=np.uint8).reshape(shape)
    noise = np.rint(QUANTILES * std).astype(np.int16)[bytes_]
    return np.asarray(np.clip(pixels + noise, 0, 255), dtype=np.uint8)


def cover_faces(pixels: Pixels, marks: Marks, config: LightConfig, rng: np.random.Generator) -> Pixels:
    """Put a patch of one colour, of noise or of the scene itself over a part of some faces; changes ``pixels``."""
    for box in marks.boxes:
        if rng.random() >= config.occluded:
            continue
        width, height = box[2] - box[0], box[3] - box[1]
        w, h = int(width * rng.uniform(0.25, 0.7)), int(height * rng.uniform(0.15, 0.4))
        x, y = int(box[0] + rng.uniform(-0.2, 0.8) * width), int(box[1] + rng.uniform(-0.1, 0.9) * height)
        x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, pixels.shape[1]), min(y + h, pixels.shape[0])
        if x2 <= x1 or y2 <= y1:
            continue
        kind = rng.random()
        if kind < 0.5:
            pixels[y1:y2, x1:x2] = rng.integers(0, 256, 3, dtype=np.uint8)
        elif kind < 0.6:
            pixels[y1:y2, x1:x2] = rng.integers(0, 256, (y2 - y1, x2 - x1, 3), dtype=np.uint8)
        else:
            fy, fx = (
                int(rng.integers(pixels.shape[0] - (y2 - y1) + 1)),
                int(rng.integers(pixels.shape[1] - (x2 - x1) + 1)),
            )
            pixels[y1:y2, x1:x2] = pixels[fy : fy + y2 - y1, fx : fx + x2 - x1].copy()
    return pixels

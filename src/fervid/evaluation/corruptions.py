"""What cameras, films and detectors do to a face: eight corruptions in three strengths.

The idea is Hendrycks & Dietterich's (*Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*,
2019, arXiv:1903.12261): a model that will meet bad pictures is measured on pictures made bad in known ways. Their
fifteen are of cameras and weather, at 224 px; these eight are of faces of 48 px on webcams, in films and news photos.
Defocus, motion, noise, exposure, compression and pixelation stay; snow, fog, frost and frosted glass go. What theirs
lack and faces meet most comes: occlusion (glasses, mask, hand) and misframing (a detector's wrong square).

At strength 1 a person reads the face at once, at 2 calls the picture bad, at 3 still reads it with some effort. What
happens to a face depends on its pixels, the corruption and the seed, not on the faces beside it; its three strengths
share their random choices, so that only the strength tells them apart.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE
from fervid.errors import UsageError
from fervid.evaluation.occlusion import occlude
from fervid.geometry import central_box, square_box
from fervid.imaging import crop_resize

STRENGTHS: Final = (1, 2, 3)
"""Read at once, bad, read with effort."""

DEFOCUS_RADIUS: Final = (1.0, 1.8, 2.6)
"""Radius of the circle that a point becomes, px."""
MOTION_LENGTH: Final = (3.0, 6.0, 9.0)
"""Way of the face while the shutter is open, px."""
PHOTONS: Final = (300.0, 80.0, 28.0)
"""Photons that make a white pixel: fewer, more noise."""
READ_NOISE: Final = (3.0, 6.0, 10.0)
"""Standard deviation of the noise that the amplifier adds, grey levels."""
JPEG_QUALITY: Final = (30, 15, 8)
LOW_SIDE: Final = (28, 20, 14)
"""Side of the face in the picture, px."""
DARK_MEDIAN: Final = (80.0, 46.0, 28.0)
"""Grey level that the middle of the face falls to."""
DARK_GAMMA: Final = (1.3, 1.6, 1.9)
"""How far the shadows sink, at most."""
BURNT_SHARE: Final = (0.2, 0.45, 0.65)
"""How much of the middle of the face becomes white."""
MISFRAMING: Final = ((0.06, 0.04, 7.0), (0.12, 0.08, 14.0), (0.18, 0.12, 21.0))
"""How far the square is off, at most: change of its side, shift in sides, turn in degrees."""

Apply = Callable[[NDArray[np.uint8], int, np.random.Generator], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way for a face to be spoilt.

    Attributes:
        name: one word or two.
        description: where it comes from, in plain words.
        apply: from ``(48, 48)`` uint8, a strength of 1–3 and a source of randomness to the spoilt face.
    """

    name: str
    description: str
    apply: Apply


def corrupt(images: NDArray[np.uint8], corruption: Corruption, strength: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Spoil faces, each in its own way.

    Args:
        images: ``(N, 48, 48)`` uint8 grey.
        corruption: one of :data:`CORRUPTIONS`.
        strength: 1, 2 or 3.
        seed: another one makes other random choices.

    Returns:
        ``(N, 48, 48)`` uint8; the same for the same face in any company.

    Raises:
        UsageError: no such strength, or the images have another shape or dtype.
    """
    if strength not in STRENGTHS:
        raise UsageError(f"there is no strength {strength!r}", advice="Use 1, 2 or 3.")
    if images.dtype != np.uint8 or images.shape[1:] != (FACE_SIZE, FACE_SIZE):
        raise UsageError(
            f"cannot spoil {images.dtype} images of shape {images.shape}",
            advice=f"Give (N, {FACE_SIZE}, {FACE_SIZE}) uint8 grey faces.",
        )
    result = np.empty_like(images)
    kind = zlib.crc32(corruption.name.encode())
    for i, face in enumerate(images):
        rng = np.random.default_rng((seed, kind, zlib.crc32(face.tobytes())))
        result[i] = corruption.apply(face, strength, rng)
    return result


def defocus(face: NDArray[np.uint8], strength: int, _rng: np.random.Generator) -> NDArray[np.uint8]:
    """The lens is focused elsewhere: every point becomes a disc."""
    radius = DEFOCUS_RADIUS[strength - 1]
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)  # the rim's pixels count by about their share inside
    return _convolve(face, disc)


def blur_motion(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The head or the camera moves on a straight line, in any direction, while the shutter is open."""
    length, angle = MOTION_LENGTH[strength - 1], rng.uniform(0, math.pi)
    reach = math.ceil(length / 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along = np.linspace(-length / 2, length / 2, 8 * reach + 1)
    to_x = np.maximum(0, 1 - np.abs(x[..., None] - along * math.cos(angle)))
    to_y = np.maximum(0, 1 - np.abs(y[..., None] - along * math.sin(angle)))
    return _convolve(face, (to_x * to_y).sum(axis=-1))


def add_noise(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A small sensor in a dim room: photons arrive by chance, and the amplifier adds its own noise.

    The Poisson–Gaussian model of Foi et al. 2008 (doi:10.1109/TIP.2008.2001399).
    """
    white = PHOTONS[strength - 1]
    shot = rng.poisson(face * (white / 255)) * (255 / white)
    return _to_bytes(shot + rng.normal(0, READ_NOISE[strength - 1], face.shape))


def compress(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """JPEG at a low quality, the 8 px blocks lying anywhere on the face, as they do on a face in a larger picture."""
    from PIL import Image

    left, top = (int(v) for v in rng.integers(0, 8, 2))
    padded = np.pad(face, ((top, 8 - top), (left, 8 - left)), mode="edge")
    stream = io.BytesIO()
    Image.fromarray(padded).save(stream, "JPEG", quality=JPEG_QUALITY[strength - 1])
    with Image.open(stream) as picture:
        return np.asarray(picture)[top : top + FACE_SIZE, left : left + FACE_SIZE]


def lower_resolution(face: NDArray[np.uint8], strength: int, _rng: np.random.Generator) -> NDArray[np.uint8]:
    """Somebody far from the camera: a face of few pixels, enlarged as the product enlarges it."""
    side = LOW_SIDE[strength - 1]
    small = _to_bytes(crop_resize(face, central_box(FACE_SIZE, FACE_SIZE), side))
    return _to_bytes(crop_resize(small, central_box(side, side), FACE_SIZE))


def misexpose(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The camera has measured the light of something else: half of the faces drown in shadow, half burn out.

    Darkening sinks the shadows (gamma) and then dims what is left; brightening cuts off the lights. How far either goes
    depends on the face, so that dark and light ones suffer alike; a face that is darker already stays as it is.
    """
    quarter = FACE_SIZE // 4
    middle = face[quarter:-quarter, quarter:-quarter]
    if rng.random() >= 0.5:
        white = np.clip(np.quantile(middle, 1 - BURNT_SHARE[strength - 1]), 1, 255)
        return _to_bytes(face * (255 / white))
    wanted = DARK_MEDIAN[strength - 1] / 255
    median = np.clip(np.median(middle) / 255, 1 / 255, 254 / 255)
    gamma = np.clip(math.log(wanted) / np.log(median), 1, DARK_GAMMA[strength - 1])
    dimmed = min(1.0, wanted / median**gamma)
    return _to_bytes(255 * dimmed * (face / 255) ** gamma)


def misframe(face: NDArray[np.uint8], strength: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The detector's square is too large or too small, beside the face, and the head is tilted.

    Each error is 0.6–1.0 of the largest of that strength, with either sign. The border is repeated where the square
    leaves the picture, as the product does.
    """
    from PIL import Image

    limits = MISFRAMING[strength - 1]
    zoom, across, down, turn = rng.uniform(0.6, 1, 4) * rng.choice((-1, 1), 4)
    margin = FACE_SIZE // 2
    picture = Image.fromarray(np.pad(face, margin, mode="edge"))
    turned = np.asarray(picture.rotate(turn * limits[2], Image.Resampling.BILINEAR))
    centre = margin + FACE_SIZE / 2
    square = square_box(
        centre + across * limits[1] * FACE_SIZE,
        centre + down * limits[1] * FACE_SIZE,
        FACE_SIZE * (1 + zoom * limits[0]),
    )
    return _to_bytes(crop_resize(turned, square, FACE_SIZE))


CORRUPTIONS: Final[tuple[Corruption, ...]] = (
    Corruption("defocus", "the lens is focused elsewhere", defocus),
    Corruption("motion blur", "the head or the camera moves", blur_motion),
    Corruption("noise", "a small sensor in a dim room", add_noise),
    Corruption("compression", "JPEG at a low quality", compress),
    Corruption("low resolution", "a face of 28, 20 or 14 px", lower_resolution),
    Corruption("exposure", "drowned in shadow, or burnt out", misexpose),
    Corruption("occlusion", "glasses, a mask or a hand", occlude),
    Corruption("misframing", "the detector's square is off", misframe),
)
"""The eight, from the lens to the detector."""


def _convolve(face: NDArray[np.uint8], kernel: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The face under a symmetric square kernel of odd side, which is brought to the sum 1; the border is repeated."""
    margin = len(kernel) // 2
    padded = np.pad(face, margin, mode="edge")
    spectrum = np.fft.rfft2(padded) * np.fft.rfft2(kernel / kernel.sum(), padded.shape)
    blurred = np.fft.irfft2(spectrum, padded.shape)[2 * margin :, 2 * margin :]
    return _to_bytes(blurred)


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)

"""What a poor camera does to a batch of faces: blur, motion, too few pixels, sensor noise, JPEG.

Everything is a product with small matrices or a small convolution, of each face with its own, so that it costs little
on any device and nothing is read back from it.
"""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fervid.datasets.faceset import FACE_SIZE
from fervid.training.expressions.config import CameraConfig
from fervid.training.noise import Noise

BLOCK: Final = 8
"""Side of a JPEG block, px."""

# fmt: off
LUMINANCE: Final = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)
# fmt: on
"""Quantisation steps of luminance at quality 50 (ITU-T T.81, table K.1)."""


def degrade(x: Tensor, config: CameraConfig, noise: Noise) -> Tensor:
    """Show faces as a poor camera would: blurred, moving, then small, noisy and compressed, then enlarged again.

    Args:
        x: ``(N, 1, S, S)`` float32 grey, 0–1.
        config: how often and how far; what is off draws nothing.
        noise: source of all randomness, on the device of ``x``.

    Returns:
        The same shape, 0–1.
    """
    device, n, size = x.device, len(x), x.shape[-1]

    def draw(share: float, low: float, high: float, otherwise: float) -> Tensor:
        draws = noise.uniform(2, n, rows=1)
        return torch.where(draws[0] < share, draws[1] * (high - low) + low, otherwise)

    x, scale = x[:, 0], size / FACE_SIZE
    if config.blur:
        kernel = make_blur(draw(config.blur, *config.blur_sigma, 0.0) * scale, size)
        x = kernel @ x @ kernel.mT
    if config.motion:
        length = draw(config.motion, *config.motion_px, 0.0)
        angle, skew = noise.uniform(2, n, rows=1)
        reach = int(math.hypot(config.motion_px[1] * scale / 2 + 0.5, 1))
        line = make_motion(length * scale, angle * math.pi, 2 * skew - 1, reach)
        x = torch.where(length[:, None, None] > 0, smear(x, line), x)
    sides = torch.full((n,), size, device=device)
    if config.shrink:
        low, high = (min(side, size) for side in config.shrink_side)
        sides = draw(config.shrink, low, high + 1, size).long().clamp(max=size)
    offsets = torch.zeros(2, n, dtype=torch.int64, device=device)
    canvas = size
    if config.jpeg:  # a face does not begin where a block of the picture around it does
        offsets = noise.integers(BLOCK, 2, n, rows=1)
        canvas = -(-(size + BLOCK - 1) // BLOCK) * BLOCK
    small = config.shrink > 0 or config.jpeg > 0
    if small:
        down, up = zip(*(place(sides, offset, size, canvas) for offset in offsets), strict=True)
        x = down[0] @ x @ down[1].mT
    if config.noise:
        strength = draw(config.noise, *config.noise_std, 0.0)
        x = x + strength[:, None, None] * noise.normal(*x.shape)
    if config.jpeg:
        quality = draw(config.jpeg, config.jpeg_quality[0], config.jpeg_quality[1] + 1, 0.0).long()
        x = torch.where(quality[:, None, None] > 0, compress(x.clamp(0, 1), quality.clamp(1, 100)), x)
    if small:
        x = up[0] @ x @ up[1].mT
    return x.clamp(0, 1).unsqueeze(1)


def make_blur(sigma: Tensor, size: int) -> Tensor:
    """``(N, size, size)`` matrices that blur along one axis with a Gaussian of ``sigma`` px, ``(N,)``; 0 is none."""
    place = torch.arange(size, device=sigma.device, dtype=torch.float32)
    distance = (place[:, None] - place) / sigma.clamp(min=0.05)[:, None, None]
    weights = torch.exp(-0.5 * distance**2)
    return weights / weights.sum(2, keepdim=True)


def make_motion(length: Tensor, angle: Tensor, skew: Tensor, reach: int) -> Tensor:
    """Lines along which faces move while the shutter is open, as smooth as pixels can show them.

    Args:
        length: ``(N,)`` px.
        angle: ``(N,)`` radians; 0 is along a row, π/2 along a column.
        skew: ``(N,)`` −1 to 1. A face that slows down stays longer at the end of its way: the weights rise linearly
            from 1 − skew at one end to 1 + skew at the other.
        reach: px from the middle to the kernel's edge; what lies beyond is cut off.

    Returns:
        ``(N, 2 · reach + 1, 2 · reach + 1)`` float32 kernels, each of sum 1.
    """
    length, angle, skew = (values[:, None, None] for values in (length, angle, skew))
    place = torch.arange(-reach, reach + 1, device=length.device, dtype=torch.float32)
    x, y = place, place[:, None]
    along, across = x * torch.cos(angle) + y * torch.sin(angle), y * torch.cos(angle) - x * torch.sin(angle)
    line = (length / 2 + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp(min=0)
    weights = line * (1 + skew * along / (length / 2 + 0.5))
    return weights / weights.sum((1, 2), keepdim=True)


def smear(x: Tensor, kernels: Tensor) -> Tensor:
    """Faces, each under its own kernel; beyond a face's edge lies its mirror image.

    Args:
        x: ``(N, S, S)``.
        kernels: ``(N, K, K)``, K odd and below 2 · S.
    """
    margin = kernels.shape[-1] // 2
    padded = F.pad(x[None], (margin, margin, margin, margin), mode="reflect")
    return F.conv2d(padded, kernels[:, None], groups=len(x))[0]


def place(sides: Tensor, offset: Tensor, size: int, canvas: int) -> tuple[Tensor, Tensor]:
    """Matrices that reduce a row of pixels onto a canvas, and that enlarge it again from there.

    Args:
        sides: ``(N,)`` int64 lengths on the canvas, 1 to ``size``.
        offset: ``(N,)`` int64, where on the canvas it begins; around it, its ends are repeated.
        size: length before and after.
        canvas: of the canvas.

    Returns:
        ``(N, canvas, size)`` and ``(N, size, canvas)``.
    """
    down, up = _resampling_tables(size, str(sides.device))
    where = torch.arange(canvas, device=sides.device) - offset[:, None]
    inside = where.clamp(min=0).minimum(sides[:, None] - 1)
    reduce = down[sides[:, None], inside]
    enlarge = up[sides[:, None], inside] * (where == inside)[:, :, None]
    return reduce, enlarge.mT


def compress(x: Tensor, quality: Tensor) -> Tensor:
    """What JPEG leaves of grey pictures, computed like libjpeg but with an exact cosine transform.

    Args:
        x: ``(N, H, H)`` grey, 0–1; H is a multiple of 8.
        quality: ``(N,)`` int64, 1–100.
    """
    blocks = x.shape[-1] // BLOCK
    cosines, steps = _jpeg_tables(blocks, str(x.device))
    levels = torch.round(x * 255) - 128
    coefficients = (cosines @ levels @ cosines.mT).view(-1, blocks, BLOCK, blocks, BLOCK)
    step = steps[quality][:, None, :, None, :]
    coefficients = (torch.round(coefficients / step) * step).view_as(levels)
    return (torch.round(cosines.mT @ coefficients @ cosines + 128) / 255).clamp(0, 1)


@functools.lru_cache(maxsize=16)
def _resampling_tables(size: int, device: str) -> tuple[Tensor, Tensor]:
    """For each side up to ``size``: the weights of each reduced pixel's sources, and where each reduced pixel goes.

    Reduced pixels are means over areas; enlarging is bilinear. Both are ``(size + 1, size, size)``: by side, reduced
    pixel and full pixel.
    """
    down = np.zeros((size + 1, size, size), dtype=np.float32)
    up = np.zeros_like(down)
    full = np.arange(size)
    for side in range(1, size + 1):
        scale = size / side
        reduced = np.arange(side)[:, None]
        overlap = np.minimum((reduced + 1) * scale, full + 1) - np.maximum(reduced * scale, full)
        down[side, :side] = np.maximum(0, overlap) / scale
        centres = np.clip((full + 0.5) / scale - 0.5, 0, side - 1)
        up[side, :side] = np.maximum(0, 1 - np.abs(reduced - centres))
    return torch.from_numpy(down).to(device), torch.from_numpy(up).to(device)


@functools.lru_cache(maxsize=16)
def _jpeg_tables(blocks: int, device: str) -> tuple[Tensor, Tensor]:
    """The cosine transform of a row of ``blocks`` as one matrix, and ``(101, 8, 8)`` steps by quality."""
    place = np.arange(BLOCK)
    cosines = np.cos((2 * place + 1) * place[:, None] * math.pi / (2 * BLOCK)) * 0.5
    cosines[0] = math.sqrt(1 / BLOCK)
    base = np.array(LUMINANCE).reshape(BLOCK, BLOCK)
    steps = np.stack([base, *(_scale_steps(base, quality) for quality in range(1, 101))]).astype(np.float32)
    matrix = np.kron(np.eye(blocks), cosines).astype(np.float32)
    return torch.from_numpy(matrix).to(device), torch.from_numpy(steps).to(device)


def _scale_steps(base: NDArray[np.int64], quality: int) -> NDArray[np.int64]:
    """As ``jpeg_quality_scaling`` of libjpeg does it."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((base * percent + 50) // 100, 1, 255)

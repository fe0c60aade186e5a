"""Random changes to whole batches of faces, on the device that trains.

Everything is drawn per face from one source, so that a seed gives the same batch on the same kind of device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from fervid.training.expressions.config import AugmentationConfig
from fervid.training.expressions.degradation import degrade
from fervid.training.expressions.occluders import occlude
from fervid.training.noise import Noise


def augment(
    images: Tensor, size: int, config: AugmentationConfig, *, mean: float, std: float, noise: Noise
) -> tuple[Tensor, Tensor]:
    """Mirror, zoom, shift, rotate, cover, relight, degrade and erase.

    Args:
        images: ``(N, 48, 48)`` uint8 grey.
        size: side of the result, px; the resampling that moves the face also resizes it.
        config: how far each change may go.
        mean: grey level (0–255) that becomes 0.
        std: grey levels that become 1.
        noise: source of all randomness, on the device of ``images``.

    Returns:
        ``(N, 1, size, size)`` float32, normalised, channels last in memory; ``(N,)`` bool, which are mirrored.
    """
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return noise.uniform(n, *shape) * (high - low) + low

    x = images.unsqueeze(1).float() / 255
    grid, mirrored = _draw_grid(n, size, config, noise, x.shape[-1])
    x = F.grid_sample(x, grid, mode=config.resampling, padding_mode=config.padding, align_corners=False)
    if config.glasses or config.mask or config.hand:
        x = occlude(x, grid, config, noise)

    x = x.clamp(0, 1) ** torch.exp(uniform(-1, 1, 1, 1, 1) * -math.log(1 - config.gamma))
    if config.exposure:
        low, high = config.exposure_gamma
        exponent = torch.exp(uniform(math.log(low), math.log(high), 1, 1, 1))
        exponent = torch.where(uniform(0, 1, 1, 1, 1) < 0.5, exponent, 1 / exponent)
        x = torch.where(uniform(0, 1, 1, 1, 1) < config.exposure, x**exponent, x)
    centre = x.mean((1, 2, 3), keepdim=True)
    x = (x - centre) * uniform(1 - config.contrast, 1 + config.contrast, 1, 1, 1) + centre
    x = (x + uniform(-config.brightness, config.brightness, 1, 1, 1)).clamp(0, 1)

    camera = config.camera
    if camera.blur or camera.motion or camera.shrink or camera.noise or camera.jpeg:
        x = degrade(x, camera, noise)
    x = _erase(x, config, uniform(0, 1, 6))
    return ((x * 255 - mean) / std).contiguous(memory_format=torch.channels_last), mirrored


def _draw_grid(n: int, size: int, config: AugmentationConfig, noise: Noise, side: int) -> tuple[Tensor, Tensor]:
    """Where each pixel of the result is read, and which faces are mirrored.

    Args:
        n: faces.
        size: side of the result, px.
        config: how far they may be moved.
        noise: source of all randomness.
        side: of the pictures that are read, px.

    Returns:
        ``(n, size, size, 2)`` in grid_sample's units; ``(n,)`` bool.
    """

    def uniform(low: float, high: float) -> Tensor:
        return noise.uniform(n) * (high - low) + low

    angle = uniform(-config.rotation, config.rotation) * (math.pi / 180)
    zoom = uniform(*config.scale)
    if config.wide:
        zoom = torch.where(uniform(0, 1) < config.wide, uniform(*config.wide_scale), zoom)
    mirrored = uniform(0, 1) >= 0.5
    # A shift of config.shift sides is twice that in grid_sample's units, which run from -1 to 1.
    dx, dy = uniform(-2 * config.shift, 2 * config.shift), uniform(-2 * config.shift, 2 * config.shift)
    if config.random_crop:
        plain = uniform(0, 1) < config.random_crop
        angle, zoom = torch.where(plain, 0.0, angle), torch.where(plain, size / side, zoom)
        odd = (side - size) % 2 / 2
        dx, dy = (torch.where(plain, ((d * side / 2 + odd).round() - odd) * 2 / side, d) for d in (dx, dy))
    sign = 1 - 2 * mirrored.float()
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.stack([torch.stack([cos * sign, -sin, dx], 1), torch.stack([sin * sign, cos, dy], 1)], 1)
    return F.affine_grid(theta, [n, 1, size, size], align_corners=False), mirrored


def _erase(x: Tensor, config: AugmentationConfig, draws: Tensor) -> Tensor:
    """Paint one rectangle of one grey on some of the faces (arXiv:1708.04896). ``draws``: ``(N, 6)`` in 0–1."""
    low, high = config.erase_side
    width, height = draws[:, 0] * (high - low) + low, draws[:, 1] * (high - low) + low
    left, top = draws[:, 2] * (1 - width), draws[:, 3] * (1 - height)
    place = (torch.arange(x.shape[-1], device=x.device) + 0.5) / x.shape[-1]
    across = (place >= left[:, None]) & (place < (left + width)[:, None])
    down = (place >= top[:, None]) & (place < (top + height)[:, None])
    chosen = draws[:, 4] < config.erase
    mask = (down[:, :, None] & across[:, None, :] & chosen[:, None, None]).unsqueeze(1)
    return torch.where(mask, draws[:, 5, None, None, None], x)

"""Glasses, masks and hands, drawn onto a batch of faces where they would be.

The places are those of FER2013's mean face: eyes at (±0.36, −0.27) and mouth at (0, 0.6) of a square from −1 to 1.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from fervid.training.expressions.config import AugmentationConfig
from fervid.training.noise import Noise

EYES: Final = (0.36, -0.27)

DRAWS: Final = 10
"""Random numbers per face and occluder."""


def occlude(x: Tensor, places: Tensor, config: AugmentationConfig, noise: Noise) -> Tensor:
    """Cover some of the faces with one thing each.

    Args:
        x: ``(N, 1, S, S)`` grey, 0–1.
        places: ``(N, S, S, 2)``: where in its face each pixel lies, −1 to 1, x then y; occluders turn with the face.
        config: how often; what is off draws nothing.
        noise: source of all randomness, on the device of ``x``.
    """
    across, down = places[..., 0], places[..., 1]
    pixel = 2 / x.shape[-1]
    choice = noise.uniform(len(x), 1, 1)
    skin = x.mean((2, 3))[:, :, None]
    y = x[:, 0]
    begin = 0.0
    for share, paint in ((config.glasses, _glasses), (config.mask, _mask), (config.hand, _hand)):
        if not share:
            continue
        draws = noise.uniform(DRAWS, len(x), 1, 1, rows=1)
        cover, grey = paint(across, down, draws, pixel)
        if paint is _hand:
            grey = grey * skin
        chosen = (choice >= begin) & (choice < begin + share)
        y = torch.where(chosen, torch.lerp(y, grey.clamp(0, 1), cover), y)
        begin += share
    return y.unsqueeze(1)


def _between(draw: Tensor, low: float, high: float) -> Tensor:
    return draw * (high - low) + low


def _inside(distance: Tensor, pixel: float) -> Tensor:
    """Coverage of a pixel at a distance within an edge: 1 inside, 0 outside, a soft step over one pixel."""
    return (distance / pixel + 0.5).clamp(0, 1)


def _glasses(across: Tensor, down: Tensor, draws: Tensor, pixel: float) -> tuple[Tensor, Tensor]:
    """Two lenses with rims, bridge and temples; half of them dark."""
    width, height, power = _between(draws[0], 0.2, 0.32), _between(draws[1], 0.14, 0.27), _between(draws[2], 2, 5)
    rim, shift = _between(draws[3], 0.015, 0.045), _between(draws[4], -0.06, 0.08)
    u, v = (across.abs() - EYES[0]) / width, (down - EYES[1] - shift) / height
    radius = (u.abs().clamp(min=1e-3) ** power + v.abs().clamp(min=1e-3) ** power) ** (1 / power)
    beyond = (radius - 1) * torch.minimum(width, height)
    bar = _inside(rim - (down - EYES[1] - shift + 0.03).abs(), pixel) * (beyond > 0)
    frame = torch.maximum(_inside(rim - beyond.abs(), pixel), bar * (across.abs() < 0.95))
    dark = draws[5] < 0.5
    tint = torch.where(dark, _between(draws[6], 0.7, 1.0), _between(draws[6], 0.0, 0.15))
    lens = _inside(-beyond, pixel) * tint
    lens_grey = torch.where(dark, _between(draws[7], 0.0, 0.25), _between(draws[7], 0.4, 1.0))
    cover = torch.maximum(lens, frame)
    return cover, torch.lerp(lens_grey, _between(draws[8], 0.0, 0.5), frame)


def _mask(across: Tensor, down: Tensor, draws: Tensor, pixel: float) -> tuple[Tensor, Tensor]:
    """A cloth from the nose to below the chin, light or dark, with folds."""
    top, slope = _between(draws[0], -0.08, 0.25), _between(draws[1], -0.1, 0.3)
    width = _between(draws[2], 0.65, 0.95)
    side = (1 - torch.sqrt((across / width) ** 2 + (down / 1.3) ** 2)) * width
    cover = _inside(torch.minimum(down - top - slope * across.abs(), side), pixel)
    cloth = torch.where(draws[3] < 0.6, _between(draws[4], 0.6, 0.95), _between(draws[4], 0.05, 0.4))
    folds = torch.sin((down - top) * _between(draws[5], 8, 20)) * _between(draws[6], 0.0, 0.06)
    return cover, cloth * (1 - 0.3 * across**2) + folds


def _hand(across: Tensor, down: Tensor, draws: Tensor, pixel: float) -> tuple[Tensor, Tensor]:
    """Four fingers that come in from below or from a side; their grey is a share of the face's own."""
    tip_x, tip_y = _between(draws[0], -0.7, 0.7), _between(draws[1], -0.6, 0.8)
    turn = _between(draws[2], -2.0, 2.0)
    cos, sin = torch.cos(turn), torch.sin(turn)
    along = -((down - tip_y) * cos - (across - tip_x) * sin)  # towards the finger tips, which point up at no turn
    beside = (across - tip_x) * cos + (down - tip_y) * sin
    width = _between(draws[3], 0.08, 0.13)
    hand = 4 * width + 0.12 * torch.relu(-along - 0.8)  # wider below the knuckles
    finger = torch.remainder(beside / (2 * width), 1) - 0.5  # 0 in the middle of a finger
    rounding = (2 * finger.abs()) ** 4 * width + 0.5 * (beside / hand) ** 2 * width
    cover = _inside(torch.minimum(-along - rounding, hand - beside.abs()), pixel)
    gaps = 1 - _between(draws[4], 0.1, 0.45) * (2 * finger.abs()) ** 4
    light = 1 + _between(draws[5], -0.3, 0.3) * torch.sin(along * math.pi / 2)
    return cover, _between(draws[6], 0.65, 1.25) * gaps * light

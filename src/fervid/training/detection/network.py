"""The face detector's network: anchor-free, of YuNet's kind (Wu et al. 2023, doi:10.1007/s11633-023-1423-y).

Dense 3×3 convolutions where the planes are large and the channels few, which is where processors are fast; separable
ones with residuals below; a top-down pyramid (Lin et al. 2017, arXiv:1612.03144) with sums; one 1×1 convolution per
stride gives sixteen numbers for each cell.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fervid.training.detection.config import NetworkConfig

STRIDES: Final = (8, 16, 32)
"""Of the three grids, px."""

OUTPUTS: Final = 16
"""Numbers for each cell: class and objectness logits, box (4), five points (10)."""

LANDMARKS: Final = 10
"""How many of them, the last, are the points'."""

LEVELS: Final = 255.0
"""What a network divides its input by; the export makes it a part of the first convolution."""

RESIDUAL: Final = re.compile(r"stage8\.(fine|dense|light)\d|stage(16|32)\.[1-9]|branches\.")
"""Blocks that add to what they are given: a network can begin without one, or with one that adds nothing yet."""

PRIOR: Final = 0.01
"""Objectness of every cell before training (arXiv:1708.02002, 3.3)."""


class Convolution(nn.Module):
    """3×3 convolution, batch norm, ReLU; with ``residual`` added to its input."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, residual: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.conv(x)))
        return x + y if self.residual else y


class SeparableConvolution(nn.Module):
    """1×1 convolution, 3×3 convolution of each channel, batch norm, ReLU; with ``residual`` added to its input."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, residual: bool = False) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.depthwise = nn.Conv2d(outputs, outputs, 3, stride, 1, groups=outputs, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.finish(self.pointwise(x))
        return x + y if self.residual else y

    def finish(self, x: Tensor) -> Tensor:
        """All but the 1×1 convolution and the sum."""
        return F.relu(self.norm(self.depthwise(x)))


class DetectionNetwork(nn.Module):
    """``(N, 3, H, W)`` RGB of 0–255, H and W multiples of 32, to ``(N, H/S · W/S, 16)`` for each stride S.

    The sixteen numbers of a cell, cells row by row: class logit, objectness logit, the box's centre as an offset from
    the cell's corner and the logarithm of its size, both in strides, and five points as offsets in strides.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.levels = LEVELS
        self.is_shortened = False  # see shorten
        stem, fine, middle, coarse = config.stem, config.fine, config.middle, config.coarse
        self.stage8 = nn.Sequential(
            OrderedDict(
                down2=Convolution(3, stem, 2),
                down4=Convolution(stem, fine, 2),
                **{f"fine{i}": Convolution(fine, fine, residual=True) for i in range(config.depths[0])},
                down8=Convolution(fine, middle, 2),
                **{f"dense{i}": Convolution(middle, middle, residual=True) for i in range(config.depths[1])},
                **{f"light{i}": SeparableConvolution(middle, middle, residual=True) for i in range(config.depths[2])},
            )
        )
        self.stage16 = nn.Sequential(
            SeparableConvolution(middle, coarse, 2),
            *(SeparableConvolution(coarse, coarse, residual=True) for _ in range(config.depths[3])),
        )
        self.stage32 = nn.Sequential(
            SeparableConvolution(coarse, coarse, 2),
            *(SeparableConvolution(coarse, coarse, residual=True) for _ in range(config.depths[4])),
        )
        self.lateral8 = nn.Conv2d(middle, coarse, 1)
        self.smooth = nn.ModuleList(SeparableConvolution(coarse, coarse) for _ in STRIDES)
        self.branches: nn.ModuleList | None = None
        self.landmark_heads: nn.ModuleList | None = None
        if config.landmark_depth:
            self.branches = nn.ModuleList(
                nn.Sequential(
                    *(SeparableConvolution(coarse, coarse, residual=True) for _ in range(config.landmark_depth))
                )
                for _ in STRIDES
            )
            self.landmark_heads = nn.ModuleList(nn.Conv2d(coarse, LANDMARKS, 1) for _ in STRIDES)
        outputs = OUTPUTS if self.branches is None else OUTPUTS - LANDMARKS
        self.heads = nn.ModuleList(nn.Conv2d(coarse, outputs, 1) for _ in STRIDES)
        self._initialise()
        self.register_load_state_dict_pre_hook(_fit_blocks)  # type: ignore[no-untyped-call]

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.groups > 1:
                    nn.init.normal_(module.weight, std=math.sqrt(2 / 9))
        for head in (*self.heads, *(self.landmark_heads or ())):
            assert isinstance(head, nn.Conv2d)
            assert head.bias is not None
            nn.init.normal_(head.weight, std=0.01)
            nn.init.constant_(head.bias, 0.5)  # boxes and points begin in the middle of their cell
            if head in set(self.heads):
                with torch.no_grad():
                    head.bias[0] = 0.0
                    head.bias[1] = -math.log(1 / PRIOR - 1)
                    head.bias[4:6] = math.log(3.0)
        for block in self.branches.modules() if self.branches is not None else ():
            if isinstance(block, nn.BatchNorm2d):
                nn.init.zeros_(block.weight)  # a branch begins as nothing, whatever was learnt before it

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        fine = self.stage8(x / self.levels)
        middle = self.stage16(fine)
        coarse = self.smooth[2](self.stage32(middle))
        middle = self.smooth[1](middle + F.interpolate(coarse, scale_factor=2.0))
        fine = self._smooth_fine(self.lateral8(fine), middle)
        planes = (fine, middle, coarse)
        numbers = [head(plane) for head, plane in zip(self.heads, planes, strict=True)]
        if self.branches is not None and self.landmark_heads is not None:
            others = zip(numbers, self.landmark_heads, self.branches, planes, strict=True)
            numbers = [torch.cat([first, head(branch(plane))], dim=1) for first, head, branch, plane in others]
        return tuple(part.flatten(2).transpose(1, 2) for part in numbers)

    def _smooth_fine(self, fine: Tensor, middle: Tensor) -> Tensor:
        block = self.smooth[0]
        if not self.is_shortened:
            smoothed: Tensor = block(fine + F.interpolate(middle, scale_factor=2.0))
            return smoothed
        assert isinstance(block, SeparableConvolution)
        return block.finish(fine + F.interpolate(block.pointwise(middle), scale_factor=2.0))

    def shorten(self) -> None:
        """Give the same answers with fewer multiplications from here on; training is over.

        A 1×1 convolution of a sum is the sum of its convolutions, and may come before a plane is enlarged: what
        smooths the finest plane becomes a part of what leads there, and is computed on a quarter of the cells.
        """
        block, lateral = self.smooth[0], self.lateral8
        assert isinstance(block, SeparableConvolution)
        assert lateral.bias is not None
        if not self.is_shortened:
            with torch.no_grad():
                mixing = block.pointwise.weight[:, :, 0, 0].double()
                lateral.weight.copy_((mixing @ lateral.weight[:, :, 0, 0].double())[:, :, None, None])
                lateral.bias.copy_(mixing @ lateral.bias.double())
        self.is_shortened = True


def _fit_blocks(network: nn.Module, weights: dict[str, Tensor], *_: object) -> None:
    """Let a network start from one with other residual blocks: some are left out, others begin as nothing.

    Where its points have branches and the other's had none, the rows of the other's heads are shared out.
    """
    assert isinstance(network, DetectionNetwork)
    if network.landmark_heads is not None and "landmark_heads.0.bias" not in weights:
        for key in [key for key in weights if key.startswith("heads.") and len(weights[key]) == OUTPUTS]:
            weights[f"landmark_{key}"], weights[key] = weights[key][-LANDMARKS:], weights[key][:-LANDMARKS]
    own = network.state_dict()
    for key in [key for key in weights if RESIDUAL.match(key) and key not in own]:
        del weights[key]
    for key in own.keys() - weights.keys():
        if RESIDUAL.match(key):
            weights[key] = torch.zeros_like(own[key]) if key.endswith("norm.weight") else own[key]

"""The expression network: a small squeeze-and-excitation ResNet with two heads.

Residual blocks after He et al. 2016 (arXiv:1512.03385), channel attention after Hu et al. 2018 (arXiv:1709.01507),
average-pooled shortcuts after He et al. 2019 (arXiv:1812.01187), stochastic depth after Huang et al. 2016
(arXiv:1603.09382). The first head answers with FER2013's labels, the second with FER+'s distribution of votes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fervid.emotions import VOTE_LABELS
from fervid.training.expressions.config import NetworkConfig
from fervid.training.noise import DropPath, RowDropout


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from all channels' means."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        hidden = max(8, channels // squeeze)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions, with channel attention where the stage has it, added to their input."""

    def __init__(
        self, inputs: int, outputs: int, config: NetworkConfig, *, stride: int, attention: bool, drop_path: float
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.attention = SqueezeExcitation(outputs, config.squeeze) if attention else nn.Identity()
        self.drop_path = DropPath(drop_path)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool = _make_pool(config.shortcut) if stride == 2 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.drop_path(self.attention(self.norm2(self.conv2(y))))
        return F.relu(self.shortcut(x) + y)


def _make_pool(kind: str) -> nn.Module:
    """Halves the plane; an odd one's last row and column are pooled over what there is of them."""
    if kind == "max":
        return nn.MaxPool2d(2, ceil_mode=True)
    return nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)


class ExpressionNetwork(nn.Module):
    """``(N, 1, S, S)`` normalised grey faces to ``(N, labels)`` emotion logits and ``(N, 8)`` vote logits.

    Any S of 16 px or more works; the features are averaged over the plane before the heads.
    """

    def __init__(self, config: NetworkConfig, labels: int) -> None:
        super().__init__()
        first, kernel, strides = config.widths[0], config.stem_kernel, config.stem_strides
        self.stem = nn.Sequential(
            nn.Conv2d(1, config.stem, kernel, strides[0], kernel // 2, bias=False),
            nn.BatchNorm2d(config.stem),
            nn.ReLU(),
            nn.Conv2d(config.stem, first, 3, strides[1], 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        inputs, total = first, sum(config.depths)
        attended = config.attention or (True,) * len(config.widths)
        for stage, (width, depth, attention) in enumerate(zip(config.widths, config.depths, attended, strict=True)):
            for i in range(depth):
                stride = 2 if stage > 0 and i == 0 else 1
                drop = config.drop_path * len(blocks) / max(1, total - 1)
                blocks.append(ResidualBlock(inputs, width, config, stride=stride, attention=attention, drop_path=drop))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = RowDropout(config.dropout)
        self.emotion_head = nn.Linear(inputs, labels)
        self.vote_head = nn.Linear(inputs, len(VOTE_LABELS))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, ResidualBlock):
                nn.init.zeros_(module.norm2.weight)  # each block starts as its shortcut (arXiv:1706.02677, 5.1)
        nn.init.normal_(self.emotion_head.weight, std=0.01)
        nn.init.normal_(self.vote_head.weight, std=0.01)

    def silence_votes(self) -> None:
        """Make the votes head one that knows nothing: of zeros, so that it gives every expression the same share."""
        nn.init.zeros_(self.vote_head.weight)
        nn.init.zeros_(self.vote_head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.dropout(self.blocks(self.stem(x)).mean((2, 3)))
        return self.emotion_head(features), self.vote_head(features)


class MirroredNetwork(nn.Module):
    """A trained network that reads each face and its mirror image, and answers with the means of both's logits.

    An expression means the same in a mirror; where the two answers differ, the network erred in one. Twice the time.
    """

    def __init__(self, network: ExpressionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        plain, mirrored = self.network(x), self.network(x.flip(-1))
        return (plain[0] + mirrored[0]) / 2, (plain[1] + mirrored[1]) / 2

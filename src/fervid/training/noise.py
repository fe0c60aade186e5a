"""Random numbers for the rows of a batch, whoever has the rows.

They are drawn for the whole batch and then picked: a process that has a share of it draws for the others as well and
drops what is theirs. So what happens to a face does not depend on how many processes train.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Share:
    """A process's part of a batch.

    Attributes:
        rows: ``(n,)`` int64 places in the batch.
        total: rows of the batch.
    """

    rows: Tensor
    total: int

    @property
    def weight(self) -> float:
        """As a share of the batch."""
        return len(self.rows) / self.total


class Noise:
    """Random numbers for the rows of one batch after the other.

    Args:
        generator: the source, the same in every process.
        share: of each batch; None is all of it.
    """

    def __init__(self, generator: torch.Generator, share: Share | None = None) -> None:
        self._generator = generator
        self._share = share

    def uniform(self, *shape: int, rows: int = 0) -> Tensor:
        """Numbers from 0 to 1; ``rows`` says which axis of ``shape`` the batch's is."""
        place = self._generator.device
        return self._pick(torch.rand(self._widen(shape, rows), device=place, generator=self._generator), rows)

    def normal(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and variance 1; the first axis of ``shape`` is the batch's."""
        place = self._generator.device
        return self._pick(torch.randn(self._widen(shape, 0), device=place, generator=self._generator), 0)

    def integers(self, below: int, *shape: int, rows: int = 0) -> Tensor:
        """Int64 from 0 to before ``below``."""
        place = self._generator.device
        return self._pick(torch.randint(below, self._widen(shape, rows), device=place, generator=self._generator), rows)

    def _widen(self, shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
        return shape if self._share is None else (*shape[:rows], self._share.total, *shape[rows + 1 :])

    def _pick(self, numbers: Tensor, rows: int) -> Tensor:
        return numbers if self._share is None else numbers.index_select(rows, self._share.rows)


class RowDropout(nn.Dropout):
    """Dropout whose choices are those of the whole batch; the global source of randomness is the same everywhere."""

    share: Share | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.share is None or not self.training:
            return super().forward(x)
        whole = F.dropout(x.new_ones(self.share.total, *x.shape[1:]), self.p, training=True)
        return x * whole[self.share.rows]


class DropPath(nn.Module):
    """Leaves a row's branch out with probability ``rate``, and makes it stronger otherwise (arXiv:1603.09382)."""

    share: Share | None = None

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate <= 0:
            return x
        keep, share = 1 - self.rate, self.share
        draws = torch.rand(len(x) if share is None else share.total, 1, 1, 1, device=x.device)
        if share is not None:
            draws = draws[share.rows]
        return x * (draws < keep).to(x.dtype) / keep


def share_noise(network: nn.Module, share: Share) -> None:
    """Let a network's own randomness be that of a whole batch, of which it is given a share."""
    for module in network.modules():
        if isinstance(module, RowDropout | DropPath):
            module.share = share

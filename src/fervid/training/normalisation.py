"""Batch norm over a batch whose rows several processes share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fervid.training.team import ALONE, Team


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the whole batch, of which each process has a share (torch's own needs a GPU).

    Weights and statistics are those of :class:`torch.nn.BatchNorm2d`, and so is everything while evaluating.
    """

    team: Team = ALONE

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.team.size == 1:
            return super().forward(x)
        output, mean, variance, count = _Normalise.apply(x, self.weight, self.bias, self.eps, self.team)  # type: ignore[no-untyped-call]
        if self.track_running_stats and self.running_mean is not None and self.running_var is not None:
            momentum = 0.1 if self.momentum is None else self.momentum
            with torch.no_grad():
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
        result: Tensor = output
        return result


class _Normalise(torch.autograd.Function):
    """To mean 0 and variance 1 per channel of all processes' rows (Ioffe & Szegedy 2015, arXiv:1502.03167)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, team: Team) -> tuple[Any, ...]:
        variance, mean = torch.var_mean(x.float(), (0, 2, 3), correction=0)
        variance, mean, rows = variance.double(), mean.double(), x.numel() / x.shape[1]
        sums = torch.cat([mean * rows, (variance + mean**2) * rows, mean.new_tensor([rows])])
        team.add_up(sums)
        count = sums[-1]
        mean, square = (sums[:-1] / count).chunk(2)
        mean, variance = mean.float(), (square - mean**2).clamp(min=0).float()
        output = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), count)
        ctx.team = team
        rows_in_all = count.float()
        ctx.mark_non_differentiable(mean, variance, rows_in_all)
        return output, mean, variance, rows_in_all

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        bias_gradient = gradient.sum((0, 2, 3), dtype=torch.float32)
        products = (gradient * x).sum((0, 2, 3), dtype=torch.float32)
        weight_gradient = (products - mean * bias_gradient) * scale
        sums = torch.stack([bias_gradient, weight_gradient]).double()
        ctx.team.add_up(sums)
        along, across = (sums / count).float()
        factor = weight * scale
        slope = -factor * scale * across
        offset = -factor * along - slope * mean
        shape = (1, -1, 1, 1)
        result = torch.addcmul(offset.view(shape), x.float(), slope.view(shape))
        result.addcmul_(gradient, factor.view(shape))
        return result.to(x.dtype), weight_gradient, bias_gradient, None, None


def share_statistics(network: nn.Module, team: Team) -> None:
    """Turn a network's batch norms into :class:`SharedBatchNorm`; their tensors stay the same ones."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
            module.__dict__["team"] = team

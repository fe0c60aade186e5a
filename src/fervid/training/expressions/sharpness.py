"""Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412): go down by the gradient of a place uphill.

A step costs two passes. The first finds the way up; the second, from a little way up, the gradient to go down by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


@contextmanager
def climb(network: nn.Module, radius: float) -> Iterator[None]:
    """Within, the weights stand ``radius`` up their gradients, which are gone; afterwards where they stood, bit by bit.

    Batch norms go on to use the batch's statistics within, but do not add them to their running ones: those are of the
    weights that stay, and have seen the batch already. Nothing is read back from the device.

    Args:
        network: whose parameters have gradients, from the first pass.
        radius: length of the step up, over all parameters together.
    """
    parameters: list[Tensor] = [p for p in network.parameters() if p.grad is not None]
    norms = [m for m in network.modules() if isinstance(m, _NormBase) and m.track_running_stats]
    before = [p.detach().clone() for p in parameters]
    steps = [p.grad for p in parameters if p.grad is not None]
    length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(steps)))
    steps = list(torch._foreach_mul(steps, radius / (length + 1e-12)))
    try:
        with torch.no_grad():
            torch._foreach_add_(parameters, steps)
        network.zero_grad(set_to_none=True)
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        with torch.no_grad():
            torch._foreach_copy_(parameters, before)


def keep_noise(place: torch.device) -> Callable[[], None]:
    """A function that turns the global source of randomness back to where it stands now.

    Both passes of a step must drop the same features and skip the same blocks, or their gradients differ by chance.
    """
    if place.type == "cuda":
        state = torch.cuda.get_rng_state(place)
        return lambda: torch.cuda.set_rng_state(state, place)
    state = torch.get_rng_state()
    return lambda: torch.set_rng_state(state)

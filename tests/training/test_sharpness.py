# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch
from torch import Tensor, nn

from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.sharpness import climb, keep_noise

CPU = torch.device("cpu")


@pytest.fixture
def network(recipe: Any) -> ExpressionNetwork:
    torch.manual_seed(0)
    network = ExpressionNetwork(TrainingConfig.from_dict(recipe()).network, 7).train()
    nn.init.normal_(network.emotion_head.weight)
    return network


@pytest.fixture
def faces() -> Tensor:
    return torch.randn(16, 1, 20, 20, generator=torch.Generator().manual_seed(1))


def descend(network: nn.Module, faces: Tensor) -> Tensor:
    loss = network(faces)[0].log_softmax(1)[:, 0].neg().mean()
    loss.backward()
    return loss.detach()


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def test_the_gradient_is_that_of_a_place_uphill() -> None:
    bowl = nn.Linear(2, 1, bias=False)  # the loss is half the square of the weights' length
    with torch.no_grad():
        bowl.weight.copy_(torch.tensor([[3.0, 4.0]]))
    (bowl.weight**2).sum().mul(0.5).backward()
    with climb(bowl, 0.5):
        torch.testing.assert_close(bowl.weight.detach(), torch.tensor([[3.3, 4.4]]))
        assert bowl.weight.grad is None
        (bowl.weight**2).sum().mul(0.5).backward()
    assert torch.equal(bowl.weight.detach(), torch.tensor([[3.0, 4.0]]))
    torch.testing.assert_close(bowl.weight.grad, torch.tensor([[3.3, 4.4]]))


def test_weights_and_statistics_are_those_of_the_first_pass(network: ExpressionNetwork, faces: Tensor) -> None:
    first = descend(network, faces)
    plain = gradients(network)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with climb(network, 0.5):
        assert not torch.equal(network.stem[0].weight, before["stem.0.weight"])
        assert descend(network, faces) > first
    assert before["stem.1.num_batches_tracked"] == 1
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert any(not torch.equal(mine, theirs) for mine, theirs in zip(gradients(network), plain, strict=True))
    network(faces)
    assert network.stem[1].num_batches_tracked == 2, "statistics are kept again"


def test_no_way_up_leaves_the_same_gradient(network: ExpressionNetwork, faces: Tensor) -> None:
    """Dropout and stochastic depth of the second pass are those of the first."""
    repeat_noise = keep_noise(CPU)
    descend(network, faces)
    plain, after = gradients(network), torch.get_rng_state()
    with climb(network, 0.0):
        repeat_noise()
        descend(network, faces)
    for mine, theirs in zip(gradients(network), plain, strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(torch.get_rng_state(), after)


def test_an_error_uphill_leads_back_too(network: ExpressionNetwork, faces: Tensor) -> None:
    descend(network, faces)
    before = network.stem[0].weight.detach().clone()
    with pytest.raises(KeyboardInterrupt), climb(network, 1.0):
        raise KeyboardInterrupt
    assert torch.equal(network.stem[0].weight, before)
    assert network.stem[1].track_running_stats

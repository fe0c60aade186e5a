# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch
from torch import nn

from fervid.errors import ConfigError
from fervid.training.expressions.config import NetworkConfig, TrainingConfig
from fervid.training.expressions.network import ExpressionNetwork, SqueezeExcitation
from fervid.training.expressions.precision import choose_precision
from fervid.training.onnxgraph import fold_norms, round_weights


@pytest.fixture
def network(recipe: Any) -> ExpressionNetwork:
    torch.manual_seed(0)
    network = ExpressionNetwork(TrainingConfig.from_dict(recipe()).network, 7)
    for module in network.modules():  # statistics and scales as after some training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    return network.eval()


@pytest.mark.parametrize("size", [16, 20, 33, 44])
@pytest.mark.parametrize("labels", [6, 7])
def test_any_size_gives_both_heads(size: int, labels: int) -> None:
    network = ExpressionNetwork(NetworkConfig(stem=4, widths=(8, 8), depths=(1, 2)), labels)
    emotions, votes = network(torch.randn(3, 1, size, size))
    assert emotions.shape == (3, labels)
    assert votes.shape == (3, 8)


def test_a_plane_is_halved_where_the_recipe_says() -> None:
    x = torch.randn(2, 1, 44, 44)
    sides = {}
    for strides in ((1, 1), (1, 2), (2, 1), (2, 2)):
        config = NetworkConfig(stem=4, widths=(8, 8), depths=(1, 1), stem_kernel=5, stem_strides=strides)
        network = ExpressionNetwork(config, 7)
        sides[strides] = network.stem(x).shape[-1], network.blocks(network.stem(x)).shape[-1]
    assert sides == {(1, 1): (44, 22), (1, 2): (22, 11), (2, 1): (22, 11), (2, 2): (11, 6)}


def test_attention_stands_in_the_stages_that_the_recipe_names() -> None:
    def attended(*stages: bool) -> list[bool]:
        network = ExpressionNetwork(NetworkConfig(stem=4, widths=(8, 8), depths=(1, 2), attention=stages), 7)
        return [isinstance(block.attention, SqueezeExcitation) for block in network.blocks]

    assert attended() == attended(True, True) == [True, True, True]
    assert attended(False, True) == [False, True, True]
    assert attended(False, False) == [False, False, False]


def test_a_shortcut_pools_the_average_or_the_maximum() -> None:
    x = torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 30]]]])
    for shortcut, expected in (("average", [[3, 4.5], [7.5, 30]]), ("max", [[5, 6], [8, 30]])):
        config = NetworkConfig(stem=4, widths=(8, 8), depths=(1, 1), shortcut=shortcut)
        pool = ExpressionNetwork(config, 7).blocks[1].shortcut[0]
        assert pool(x)[0, 0].tolist() == expected  # an odd plane's edge is pooled over what there is


def test_a_network_of_an_older_recipe_has_the_same_weights() -> None:
    network = ExpressionNetwork(NetworkConfig(stem=4, widths=(8, 16), depths=(1, 1), squeeze=1), 7)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items() if key.endswith("weight")}
    assert shapes["stem.0.weight"] == (4, 1, 3, 3)
    assert shapes["stem.3.weight"] == (8, 4, 3, 3)
    assert shapes["blocks.1.shortcut.1.weight"] == (16, 8, 1, 1)
    assert shapes["blocks.0.attention.reduce.weight"] == (8, 8, 1, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": (True,)}, "2 widths and 1 values of attention"),
        ({"shortcut": "median"}, "network.shortcut is 'median'"),
        ({"stem_kernel": 4}, "network.stem_kernel is 4"),
        ({"stem_strides": (1, 3)}, "network.stem_strides is 3"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NetworkConfig(widths=(8, 8), depths=(1, 1), **change)


def test_a_new_block_is_its_shortcut() -> None:
    network = ExpressionNetwork(NetworkConfig(stem=4, widths=(8,), depths=(1,), drop_path=0), 7)
    x = torch.rand(2, 8, 5, 5)
    assert torch.equal(network.blocks[0](x), x)


def test_stochastic_depth_is_for_training_alone() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(stem=4, widths=(8,), depths=(3,), dropout=0, drop_path=0.9)
    block = ExpressionNetwork(config, 7).blocks[2]
    nn.init.ones_(block.norm2.weight)
    x = torch.rand(64, 8, 5, 5)
    block.train()
    dropped = torch.isclose(block(x), x).flatten(1).all(dim=1)
    assert 0.7 < float(dropped.float().mean()) < 1
    block.eval()
    assert not torch.isclose(block(x), x).flatten(1).all(dim=1).any()


def test_folding_norms_changes_nothing_but_the_norms(network: ExpressionNetwork) -> None:
    folded = fold_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    x = torch.randn(5, 1, 20, 20)
    for mine, theirs in zip(folded(x), network(x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_rounding_keeps_biases(network: ExpressionNetwork) -> None:
    folded = fold_norms(network)
    for (name, rounded), plain in zip(round_weights(folded).named_parameters(), folded.parameters(), strict=True):
        assert torch.equal(rounded, plain.half().float() if plain.ndim > 1 else plain), name


def test_choosing_the_precision_leaves_no_trace(network: ExpressionNetwork) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    assert choose_precision(network, 4, 16, torch.device("cpu"), steps=1) in (True, False)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training

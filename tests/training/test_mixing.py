# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.training.expressions.losses import Targets
from fervid.training.expressions.mixing import draw_shares, mix

CPU = torch.device("cpu")


def test_faces_and_targets_are_mixed_alike() -> None:
    faces = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 1, 3, 3)
    targets = Targets(torch.eye(5), torch.eye(5, 8))
    shares = torch.tensor([1.0, 0.5, 0.3, 0.75, 0.0])
    mixed, mixed_targets = mix(faces, targets, shares)
    expected = torch.tensor([0.0, 0.5 * 1 + 0.5 * 3, 2.0, 0.75 * 3 + 0.25 * 1, 0.0])
    torch.testing.assert_close(mixed[:, 0, 1, 1], expected)
    torch.testing.assert_close(mixed_targets.emotions[1], torch.tensor([0, 0.5, 0, 0.5, 0]))
    torch.testing.assert_close(mixed_targets.votes[3, :5], torch.tensor([0, 0.25, 0, 0.75, 0]))
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    assert faces[1, 0, 0, 0] == 1


def test_shares_follow_their_beta_and_repeat() -> None:
    shares = draw_shares(50, 64, 0.2, seed=3, epoch=4, place=CPU)
    assert shares.shape == (50, 64)
    assert torch.equal(shares, draw_shares(50, 64, 0.2, seed=3, epoch=4, place=CPU))
    assert not torch.equal(shares, draw_shares(50, 64, 0.2, seed=3, epoch=5, place=CPU))
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(shares.var()) == pytest.approx(1 / (4 * (2 * 0.2 + 1)), abs=0.02)  # of Beta(α, α)
    assert float(draw_shares(50, 64, 5, seed=3, epoch=4, place=CPU).var()) == pytest.approx(1 / 44, abs=0.005)

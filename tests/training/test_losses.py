# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch
from torch.nn import functional as F

from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, make_training_data
from fervid.training.expressions.losses import Targets, TargetTable, compute_loss, soften_labels, teaches_votes

CPU = torch.device("cpu")


@pytest.fixture
def data(make_faces: Any, recipe: Any) -> TrainingData:
    return make_training_data(make_faces(40, 16, 4), TrainingConfig.from_dict(recipe()))


def random_logits(rows: int, labels: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(5)
    return torch.randn(rows, labels, generator=source), torch.randn(rows, 8, generator=source)


def test_the_plain_loss_is_that_of_both_heads_alone(data: TrainingData, recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe(loss={"label_smoothing": 0.2, "votes_weight": 0.5}))
    data.has_votes[3:9] = 0
    rows = torch.arange(16)
    emotions, votes = random_logits(16)
    loss = compute_loss(emotions, votes, TargetTable(data, config, CPU).select(rows, rows > 3), config)
    per_face = -(data.votes[rows] * votes.log_softmax(1)).sum(1) * data.has_votes[rows]
    labels = F.cross_entropy(emotions, data.emotions[rows], label_smoothing=0.2)
    torch.testing.assert_close(loss, labels + 0.5 * per_face.mean())


def test_a_label_share_of_one_and_one_hot_distributions_give_the_same_loss(data: TrainingData, recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe())
    rows = torch.arange(40)
    emotions, votes = random_logits(40)
    plain = TargetTable(data, config, CPU).select(rows, rows > 3)
    soft = Targets(soften_labels(data, 7, 1.0), plain.votes)
    assert plain.emotions.dtype == torch.int64
    assert torch.equal(soft.emotions, F.one_hot(data.emotions, 7).float())
    torch.testing.assert_close(
        compute_loss(emotions, votes, soft, config), compute_loss(emotions, votes, plain, config)
    )


def test_soft_labels_are_label_and_votes(data: TrainingData) -> None:
    data.votes[0] = torch.tensor([0.5, 0.2, 0.1, 0, 0, 0, 0.2, 0])
    data.votes[1] = torch.tensor([0, 0, 0, 0.5, 0, 0, 0, 0.5])  # half of the people saw contempt
    data.has_votes[2] = 0
    soft = soften_labels(data, 7, 0.6)
    assert data.emotions[:3].tolist() == [0, 1, 2]
    np.testing.assert_allclose(soft[0], [0.6 + 0.2, 0.08, 0.04, 0, 0, 0, 0.08], atol=1e-6)
    np.testing.assert_allclose(soft[1], [0, 0.6 + 0.2, 0, 0.2, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(soft[2], [0, 0, 1, 0, 0, 0, 0], atol=1e-6)
    torch.testing.assert_close(soft.sum(1), torch.ones(40))


def test_six_soft_labels_count_votes_for_disgust_as_anger(make_faces: Any, recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe(labels=6, loss={"label_share": 0.5}))
    data = make_training_data(make_faces(40, 16, 4), config)
    data.votes[2] = torch.tensor([0.25, 0.25, 0, 0, 0, 0, 0.5, 0])
    targets = TargetTable(data, config, CPU).select(torch.tensor([2, 2]), torch.tensor([True, False]))
    np.testing.assert_allclose(targets.emotions[0], [0.25, 0.5, 0, 0, 0, 0.25], atol=1e-6)
    emotions, votes = random_logits(2, 6)
    assert bool(compute_loss(emotions, votes, targets, config).isfinite())


def test_mixing_needs_distributions(data: TrainingData, recipe: Any) -> None:
    config = TrainingConfig.from_dict(recipe(augmentation={"mixup": 0.2}))
    targets = TargetTable(data, config, CPU).select(torch.arange(4), torch.zeros(4, dtype=torch.bool))
    assert torch.equal(targets.emotions, F.one_hot(data.emotions[:4], 7).float())


def test_the_votes_head_learns_from_votes_or_teachers(data: TrainingData, recipe: Any) -> None:
    plain = TrainingConfig.from_dict(recipe())
    unweighted = TrainingConfig.from_dict(recipe(loss={"votes_weight": 0.0}))
    taught = TrainingConfig.from_dict(recipe(distillation={"teachers": ["teacher"]}))
    assert teaches_votes(data, plain)
    assert not teaches_votes(data, unweighted)
    data.has_votes[:] = 0
    assert not teaches_votes(data, plain)
    assert teaches_votes(data, taught)
    weightless = TrainingConfig.from_dict(recipe(distillation={"teachers": ["teacher"], "weight": 0.0}))
    assert not teaches_votes(data, weightless)

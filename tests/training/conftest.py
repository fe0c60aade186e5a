from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fervid.datasets.faceset import PRIVATE_TEST, PUBLIC_TEST, SPLITS, TRAINING, FaceSet

RECIPE: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "input": {"size": 20, "crop": 0.9},
    "network": {"stem": 8, "widths": [8, 8, 16], "depths": [1, 1, 1], "squeeze": 4, "dropout": 0.1, "drop_path": 0.1},
    "schedule": {
        "stages": [{"epochs": 1, "size": 16}, {"epochs": 2, "size": 20}],
        "batch_size": 32,
        "learning_rate": 0.05,
        "warmup_epochs": 0.5,
        "ema": 0.9,
    },
    "augmentation": {"scale": [0.9, 1.0], "shift": 0.03, "rotation": 4, "erase": 0.1},
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny networks gain nothing from more, and on a busy machine the threads wait for each other."""
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture
def recipe() -> Callable[..., dict[str, Any]]:
    """A recipe that trains in a second; keywords replace top-level keys."""

    def make(**changes: Any) -> dict[str, Any]:
        return {**RECIPE, **changes}

    return make


@pytest.fixture(scope="session")
def make_faces() -> Callable[..., FaceSet]:
    """Faces that can be learned: each emotion is a symmetric pattern of its own under noise."""

    def make(training: int = 192, public: int = 256, private: int = 16, *, votes: bool = True) -> FaceSet:
        rng = np.random.default_rng(7)
        coarse = rng.uniform(40, 215, (7, 6, 3))
        patterns = np.kron(np.concatenate([coarse, coarse[:, :, ::-1]], axis=2), np.ones((8, 8)))
        counts = {TRAINING: training, PUBLIC_TEST: public, PRIVATE_TEST: private}
        splits = np.repeat([SPLITS.index(name) for name in counts], list(counts.values()))
        emotions = np.arange(len(splits)) % 7
        noisy = patterns[emotions] + rng.normal(0, 25, (len(splits), 48, 48))
        tally = np.zeros((len(splits), 10), dtype=np.int64)
        # FER+ counts are in another order than the emotions: neutral, happy, surprise, sad, angry, disgust, fear.
        tally[np.arange(len(splits)), np.array([4, 5, 6, 1, 3, 2, 0])[emotions]] = 8
        tally[:, 0] += 2
        return FaceSet(
            np.clip(noisy, 0, 255).astype(np.uint8),
            emotions.astype(np.int64),
            splits.astype(np.int64),
            tally if votes else None,
        )

    return make

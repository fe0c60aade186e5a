"""Faces to tensors: which rows train, which rows select."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fervid.datasets.duplicates import hash_images
from fervid.datasets.faceset import PUBLIC_TEST, SPLITS, TRAINING, FaceSet
from fervid.datasets.parquet import read_faces
from fervid.emotions import emotions_for, fold_label_indices
from fervid.geometry import central_box
from fervid.imaging import crop_resize
from fervid.training.expressions.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run needs.

    Attributes:
        images: ``(N, 48, 48)`` uint8.
        emotions: ``(N,)`` int64.
        votes: ``(N, 8)`` float32, rows sum to 1.
        has_votes: ``(N,)`` float32, 1 where ``votes`` is known.
        validation_inputs: ``(M, 1, S, S)`` float32, preprocessed as in the product.
        validation_emotions: ``(M,)``.
        validation_majority: ``(M,)``, −1 where the votes name no emotion.
        mean: grey level of the average training pixel.
        std: standard deviation of the training pixels, grey levels.
        dropped: Training rows left out because a test face or an earlier row has the same pixels.
    """

    images: Tensor
    emotions: Tensor
    votes: Tensor
    has_votes: Tensor
    validation_inputs: Tensor
    validation_emotions: NDArray[np.int64]
    validation_majority: NDArray[np.int64]
    mean: float
    std: float
    dropped: int


def load_training_data(
    path: str | Path, config: TrainingConfig, *, progress: Callable[[int, int], None] | None = None
) -> TrainingData:
    """Read a prepared Parquet for ``config``.

    Raises:
        DatasetError: the file is not a face set, or has no Training or PublicTest rows.
    """
    return make_training_data(read_faces(path, progress=progress), config)


def make_training_data(faces: FaceSet, config: TrainingConfig) -> TrainingData:
    """Split, de-duplicate and convert faces that are already in memory. Raises DatasetError when a split is empty."""
    keep = training_rows(faces)
    training, validation = faces[keep], faces.split(PUBLIC_TEST)
    total = len(faces.split(TRAINING))
    votes, has_votes = training.vote_distribution()
    mean, std = float(training.images.mean()), float(training.images.std())
    emotions, validation_emotions = training.emotions, validation.emotions
    majority = validation.vote_majority()
    if len(emotions_for(config.labels)) == 6:
        emotions, validation_emotions = fold_label_indices(emotions), fold_label_indices(validation_emotions)
    return TrainingData(
        images=torch.from_numpy(training.images),
        emotions=torch.from_numpy(emotions),
        votes=torch.from_numpy(votes),
        has_votes=torch.from_numpy(has_votes.astype(np.float32)),
        validation_inputs=prepare_inputs(validation.images, config, mean, std),
        validation_emotions=validation_emotions,
        validation_majority=majority,
        mean=mean,
        std=std,
        dropped=total - len(training),
    )


def training_rows(faces: FaceSet) -> NDArray[np.int64]:
    """Indices of the Training rows to learn from.

    Left out are rows whose pixels are those of a test face (the leak), and all but the first of each group of equal
    Training rows.
    """
    hashes = hash_images(faces.images)
    is_training = faces.splits == SPLITS.index(TRAINING)
    seen = set(hashes[~is_training].tolist())
    rows = []
    for row in np.flatnonzero(is_training):
        if hashes[row] not in seen:
            seen.add(hashes[row])
            rows.append(row)
    return np.array(rows, dtype=np.int64)


def prepare_inputs(images: NDArray[np.uint8], config: TrainingConfig, mean: float, std: float) -> Tensor:
    """``(N, 48, 48)`` faces through the product's own crop and resize, as ``(N, 1, S, S)`` float32."""
    side = images.shape[-1]
    box = central_box(side, side, config.input.crop)
    chips = np.stack([crop_resize(image, box, config.input.size) for image in images])
    return torch.from_numpy((chips[:, None] - mean) / std).float().contiguous(memory_format=torch.channels_last)

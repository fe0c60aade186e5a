"""Faces to tensors: which rows train, which rows select."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fervid.classification.preprocess import preprocess
from fervid.datasets.duplicates import hash_images
from fervid.datasets.faceset import PUBLIC_TEST, SPLITS, TRAINING, FaceSet, find_truth
from fervid.datasets.parquet import read_faces
from fervid.emotions import emotions_for
from fervid.errors import DatasetError
from fervid.geometry import Square, central_box
from fervid.models.spec import ModelSpec
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.origins import find_training_data, name_origin
from fervid.training.tables import UNSTATED

FER2013_SIZES: Final = (28_709, 3_589)
"""Faces of its Training and its PublicTest: what it is known by, as its pixels come in several codings."""


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
        validation_votes: ``(M, 8)``, rows sum to 1.
        validation_has_votes: ``(M,)``, True where they are known.
        validation_majority: ``(M,)`` indices into ``spec.labels``, −1 where the votes name none.
        spec: of the network to be trained, not yet calibrated; ``spec.mean`` and ``spec.std`` are those of the
            training pixels.
        digest: of faces, labels and votes; a continued run must find the same.
        dropped: Training rows left out because a test face or an earlier row has the same pixels.
    """

    images: Tensor
    emotions: Tensor
    votes: Tensor
    has_votes: Tensor
    validation_inputs: Tensor
    validation_emotions: NDArray[np.int64]
    validation_votes: NDArray[np.float32]
    validation_has_votes: NDArray[np.bool_]
    validation_majority: NDArray[np.int64]
    spec: ModelSpec
    digest: str
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
    if not len(training):
        raise DatasetError(
            f"all {total} Training faces are also test faces",
            advice="Prepare the data again with FER2013's own splits.",
        )
    votes, has_votes = training.vote_distribution()
    validation_votes, validation_has_votes = validation.vote_distribution()
    emotions, _ = find_truth(training, config.labels)
    validation_emotions, validation_majority = find_truth(validation, config.labels)
    is_fer2013 = (total, len(validation)) == FER2013_SIZES
    spec = draft_spec(config, training, "FER2013 Training" if is_fer2013 else "Training of other faces than FER2013's")
    return TrainingData(
        images=torch.from_numpy(training.images),
        emotions=torch.from_numpy(emotions),
        votes=torch.from_numpy(votes),
        has_votes=torch.from_numpy(has_votes.astype(np.float32)),
        validation_inputs=prepare_inputs(validation.images, spec),
        validation_emotions=validation_emotions,
        validation_votes=validation_votes,
        validation_has_votes=validation_has_votes,
        validation_majority=validation_majority,
        spec=spec,
        digest=digest_arrays(
            training.images, emotions, votes, validation.images, validation_emotions, validation_votes
        ),
        dropped=total - len(training),
    )


def draft_spec(config: TrainingConfig, training: FaceSet, origin: str) -> ModelSpec:
    """What is known of a model before it is trained: everything but the temperatures, the threshold and the licence.

    Args:
        config: the recipe.
        training: the faces that are left to learn from.
        origin: where they come from, in words.
    """
    schedule = config.schedule
    sizes = " → ".join(
        f"{stage.epochs} at {stage.size} px" + (f" from {stage.restart:g}" if stage.restart else "")
        for stage in schedule.stages
    )
    begun = " and ".join(map(name_origin, config.initial_weights))
    start = f", from the {'mean of the ' if len(config.initial_weights) > 1 else ''}weights of {begun}" if begun else ""
    teachers = ", ".join(Path(folder).name for folder in config.distillation.teachers)
    learned = f"{origin}, {len(training):,} faces without duplicates, "
    learned += "labels and FER+ votes" if training.votes is not None else "labels alone"
    before = [(name_origin(path), find_training_data(path)) for path in config.initial_weights]
    others = dict.fromkeys(f"; began from {name} ({data})" for name, data in before if data not in (None, learned))
    return ModelSpec(
        name=config.name,
        version=config.version,
        labels=emotions_for(config.labels),
        size=config.input.size,
        crop=config.input.crop,
        mean=round(float(training.images.mean()), 4),
        std=round(float(training.images.std()), 4) or 1.0,
        temperature=1.0,
        votes_temperature=1.0,
        threshold=0.0,
        training_data=learned + "".join(others),
        licence=UNSTATED,
        recipe=f"{config.name}.toml: {schedule.epochs} epochs ({sizes}), batches of {schedule.batch_size}, "
        f"rate {schedule.learning_rate:g}, EMA {schedule.ema:g}, seed {config.seed}"
        + (f", taught by {teachers}" if teachers else "")
        + start,
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


def prepare_inputs(images: NDArray[np.uint8], spec: ModelSpec) -> Tensor:
    """``(N, 48, 48)`` faces through the product's own preprocessing, as ``(N, 1, S, S)`` float32."""
    square = Square(central_box(images.shape[2], images.shape[1]))
    inputs = np.concatenate([preprocess(image, [square], spec) for image in images])
    return torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last)


def sample_inputs(data: TrainingData, count: int) -> Tensor:
    """``(N, 1, S, S)`` inputs from at most ``count`` Training faces, spread evenly, as the product sees them."""
    rows = np.linspace(0, len(data.images) - 1, min(count, len(data.images))).astype(np.int64)
    return prepare_inputs(data.images[torch.from_numpy(rows)].numpy(), data.spec)


def digest_arrays(*arrays: NDArray[np.generic]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the arrays' values, in C order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]

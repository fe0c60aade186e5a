"""Photos decoded once, and scenes composed of them in the background."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fervid.datasets.photos import LabelledPhoto, count_photos, iterate_photos
from fervid.errors import DatasetError
from fervid.training.detection.config import DetectionConfig
from fervid.training.detection.marks import Marks
from fervid.training.detection.scenes import Album, Picture, compose_scene


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPhotos:
    """What a run learns from and is measured on.

    Attributes:
        album: Training photos, decoded.
        validation: photos of the held-out groups, as they are in the file.
        digest: of all photos and marks, 12 hex digits.
    """

    album: Album
    validation: Sequence[LabelledPhoto]
    digest: str

    @property
    def photos(self) -> int:
        """Training photos."""
        return len(self.album.people) + len(self.album.heads) + len(self.album.background)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Scenes with their faces, the faces of all scenes one after another.

    Attributes:
        images: ``(N, 3, S, S)`` uint8 RGB.
        owners: ``(F,)`` int64, the scene of each face.
        boxes: ``(F, 4)`` float32, px.
        landmarks: ``(F, 5, 2)`` float32, px; NaN where unknown.
        scores: ``(F,)`` float32.
        ignored_owners: ``(M,)`` int64.
        ignored: ``(M, 4)`` float32, px.
    """

    images: Tensor
    owners: Tensor
    boxes: Tensor
    landmarks: Tensor
    scores: Tensor
    ignored_owners: Tensor
    ignored: Tensor

    def to(self, place: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, name).to(place, non_blocking=True) for name in self.__slots__))


def load_training_photos(
    path: str | Path, *, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> TrainingPhotos:
    """Read a Parquet of photos (:mod:`fervid.datasets.photos`); Training photos are kept decoded.

    Raises:
        DatasetError: the file is no such Parquet, holds a photo that cannot be decoded, or no Training or no validation
            photo with a face.
    """
    kinds: dict[str, list[Picture]] = {"people": [], "head": [], "background": []}
    validation: list[LabelledPhoto] = []
    digest = hashlib.sha256()
    total = count_photos(path)
    for done, photo in enumerate(iterate_photos(path), start=1):
        for part in (
            photo.data,
            f"{photo.kind} {photo.split}".encode(),
            *(a.tobytes() for a in (photo.boxes, photo.landmarks, photo.scores, photo.ignore_boxes)),
        ):
            digest.update(hashlib.sha256(part).digest())
        pixels = photo.decode()  # also what is only validated on: a damaged photo is to be said now, not after an epoch
        if photo.split == "validation":
            validation.append(photo)
        else:
            marks = (photo.boxes, photo.landmarks, photo.scores, photo.ignore_boxes)
            picture = Picture(pixels, Marks(*(a.astype(np.float32) for a in marks)))
            kinds[photo.kind].append(picture)
        progress(done, total)
    if not kinds["people"] and not kinds["head"]:
        raise DatasetError(f"{path} holds no Training photo with a face", advice="fervid.datasets.photos says what.")
    if not any(len(photo.boxes) for photo in validation):
        raise DatasetError(f"{path} holds no validation photo with a face", advice="Add photos of other sources.")
    return TrainingPhotos(
        Album(kinds["people"], kinds["head"], kinds["background"]), validation, digest.hexdigest()[:12]
    )


class _Scenes(Dataset[tuple[np.ndarray, Marks]]):
    """Scene number i of the whole run, the same whoever composes it and when."""

    def __init__(self, album: Album, config: DetectionConfig, hardness: Tensor) -> None:
        self._album, self._config, self._hardness = album, config, hardness

    def __getitem__(self, index: int) -> tuple[np.ndarray, Marks]:
        rng = np.random.default_rng([self._config.seed, index])
        return compose_scene(self._album, self._config, rng, self._hardness.numpy())


class _EpochSampler(Sampler[list[int]]):
    """Numbers of the scenes of an epoch, by batch; :attr:`epoch` says which."""

    def __init__(self, config: DetectionConfig) -> None:
        self.epoch = 0
        self._schedule = config.schedule

    def __len__(self) -> int:
        return self._schedule.scenes // self._schedule.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        first, size = self.epoch * self._schedule.scenes, self._schedule.batch_size
        for step in range(len(self)):
            yield list(range(first + step * size, first + (step + 1) * size))


class SceneLoader:
    """Batches of scenes, composed by background processes while the network learns.

    Args:
        album: the photos.
        config: the recipe.
        workers: processes; 0 composes where it is asked.

    Attributes:
        hardness: ``(background photos,)`` float32 how often each is shown, relative to the others; shared with the
            processes, to be changed in place between epochs.
    """

    def __init__(self, album: Album, config: DetectionConfig, *, workers: int) -> None:
        self.hardness = torch.ones(len(album.background)).share_memory_()  # type: ignore[no-untyped-call]
        self._sampler = _EpochSampler(config)
        self._loader = DataLoader(
            _Scenes(album, config, self.hardness),
            batch_sampler=self._sampler,
            num_workers=workers,
            collate_fn=collate,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
        )

    def __len__(self) -> int:
        return len(self._sampler)

    def iterate(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, from 0."""
        self._sampler.epoch = epoch
        yield from self._loader


def collate(scenes: Sequence[tuple[np.ndarray, Marks]]) -> Batch:
    """Scenes to a batch."""
    marks = [part for _, part in scenes]
    joined = Marks.join(marks)
    images = np.stack([pixels.transpose(2, 0, 1) for pixels, _ in scenes])

    def owners(counts: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.repeat(np.arange(len(counts)), counts))

    return Batch(
        images=torch.from_numpy(images),
        owners=owners([len(part.boxes) for part in marks]),
        boxes=torch.from_numpy(joined.boxes),
        landmarks=torch.from_numpy(joined.landmarks),
        scores=torch.from_numpy(joined.scores),
        ignored_owners=owners([len(part.ignored) for part in marks]),
        ignored=torch.from_numpy(joined.ignored),
    )

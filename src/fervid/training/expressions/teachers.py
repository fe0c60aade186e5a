"""Distillation: what better networks said about the training faces, kept in files, as targets (arXiv:1503.02531).

A teacher is a folder, small enough to be kept with the project, from which anyone who has the faces can repeat a
distillation without the teacher's weights:

- ``emotions.npy``, ``(2, N, labels)`` float16: the label head's logits on the N faces that :func:`.data.training_rows`
  chooses, in that order; first of each face as it is, then of its mirror image.
- ``votes.npy``, ``(2, N, 8)`` float16: the votes head's.
- ``teacher.json``: the other fields of :class:`Teacher`, and a digest of both arrays.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fervid.classification.calibration import TINY, softmax
from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import PUBLIC_TEST, FaceSet
from fervid.emotions import EMOTIONS, VOTE_LABELS, emotions_for, fold_disgust, fold_label_indices
from fervid.errors import ConfigError, DatasetError
from fervid.evaluation.metrics import accuracy
from fervid.files import make_file, write_file
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import TrainingData, digest_arrays, prepare_inputs, training_rows

EMOTIONS_FILE: Final = "emotions.npy"
VOTES_FILE: Final = "votes.npy"
FACTS_FILE: Final = "teacher.json"

BATCH: Final = 256

AGAIN: Final = "Keep it again with runs/keep_teacher.py."


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """What one network said about the training faces.

    Attributes:
        model: identity of the network, ``name@`` and the beginning of its file's SHA-256.
        faces: digest of the training faces' pixels.
        labels: names of the label head's outputs.
        vote_labels: names of the votes head's outputs.
        size: side of the network's input, px.
        crop: share of the face's square that it saw.
        temperature: that calibrates the label head's logits.
        votes_temperature: that calibrates the votes head's.
        public_accuracy: of the label head on PublicTest.
        public_votes_accuracy: of the votes head on the FER+ majority there; None without votes.
        emotions: ``(2, N, labels)`` float16 logits, plain and mirrored.
        votes: ``(2, N, 8)`` float16 logits, plain and mirrored.
    """

    model: str
    faces: str
    labels: tuple[str, ...]
    vote_labels: tuple[str, ...]
    size: int
    crop: float
    temperature: float
    votes_temperature: float
    public_accuracy: float
    public_votes_accuracy: float | None
    emotions: NDArray[np.float16]
    votes: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """What all the teachers of a run say together.

    Attributes:
        emotions: ``(2, N, labels)`` float32 probabilities at the recipe's temperature, plain and mirrored.
        votes: ``(2, N, 8)`` float32.
        digest: of both; a continued run must find the same.
    """

    emotions: Tensor
    votes: Tensor
    digest: str


def load_soft_targets(config: TrainingConfig, data: TrainingData) -> SoftTargets | None:
    """The mean of the teachers' probabilities at the recipe's temperature; None when it names no teacher.

    Each teacher's logits are divided by the temperature that calibrates it as well, so that a head that exaggerates
    does not outvote the others.

    Raises:
        ConfigError: a teacher is not there, or has fewer labels than the student.
        DatasetError: a teacher is damaged, or saw other faces.
    """
    distillation = config.distillation
    if not distillation.teachers:
        return None
    digest = digest_arrays(data.images.numpy())
    emotions, votes = [], []
    for folder in distillation.teachers:
        teacher = load_teacher(folder)
        if teacher.faces != digest:
            raise DatasetError(
                f"the teacher {folder} saw other Training faces ({teacher.faces}, not {digest})",
                advice="Prepare the data as it was for the teacher, or keep the teacher again with this data.",
            )
        if teacher.emotions.shape[2] < config.labels:
            raise ConfigError(
                f"the teacher {folder} knows {teacher.emotions.shape[2]} labels, the student {config.labels}",
                advice="A teacher of 7 labels serves students of 7 and of 6.",
            )
        emotions.append(_soften_emotions(teacher, config.labels, distillation.temperature))
        votes.append(softmax(teacher.votes, teacher.votes_temperature * distillation.temperature))
    means = [np.mean(parts, axis=0).astype(np.float32) for parts in (emotions, votes)]
    return SoftTargets(torch.from_numpy(means[0]), torch.from_numpy(means[1]), digest_arrays(*means))


def _soften_emotions(teacher: Teacher, labels: int, temperature: float) -> NDArray[np.float64]:
    """``(2, N, labels)`` probabilities of a teacher's label head, as soft as the recipe's temperature makes them."""
    if teacher.emotions.shape[2] == labels:
        return softmax(teacher.emotions, teacher.temperature * temperature)
    # Softened first, disgust would give anger a share that the teacher does not see: high temperatures even all out.
    folded = fold_disgust(softmax(teacher.emotions, teacher.temperature))
    return softmax(np.log(np.maximum(folded, TINY)), temperature)


def ask_teacher(
    classifier: Classifier, faces: FaceSet, *, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Teacher:
    """Run a network over the training faces, plain and mirrored, and over PublicTest.

    Raises:
        DatasetError: a split is missing, or a logit is too large for float16.
    """
    images = faces.images[training_rows(faces)]
    public = faces.split(PUBLIC_TEST)
    total, done = 2 * len(images) + len(public), 0

    def ask(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        nonlocal done
        parts = []
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            parts.append(classifier.run(np.ascontiguousarray(prepare_inputs(batch, classifier.spec).numpy())))
            done += len(batch)
            progress(done, total)
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    if not len(images):
        raise DatasetError("the data has no Training rows that are not also test faces", advice="Prepare it again.")
    emotions, votes = zip(ask(images), ask(images[:, :, ::-1]), strict=True)
    public_emotions, public_votes = ask(public.images)
    spec = classifier.spec
    labels = public.emotions if len(spec.labels) == len(EMOTIONS) else fold_label_indices(public.emotions)
    majority = public.vote_majority()
    known = majority >= 0
    teacher = Teacher(
        model=classifier.identity,
        faces=digest_arrays(images),
        labels=tuple(map(str, spec.labels)),
        vote_labels=tuple(map(str, spec.vote_labels)),
        size=spec.size,
        crop=spec.crop,
        temperature=spec.temperature,
        votes_temperature=spec.votes_temperature,
        public_accuracy=round(accuracy(public_emotions, labels), 5),
        public_votes_accuracy=round(accuracy(public_votes[known, : len(EMOTIONS)], majority[known]), 5)
        if known.any()
        else None,
        emotions=np.stack(emotions).astype(np.float16),
        votes=np.stack(votes).astype(np.float16),
    )
    if not (np.isfinite(teacher.emotions).all() and np.isfinite(teacher.votes).all()):
        raise DatasetError(f"{classifier.identity} gives logits that are not finite in float16")
    return teacher


def save_teacher(teacher: Teacher, folder: str | Path) -> None:
    """Write a teacher's folder; ``teacher.json`` comes last and makes it whole.

    Raises:
        OutputError: it cannot be written.
    """
    folder = Path(folder)
    arrays = {EMOTIONS_FILE: teacher.emotions, VOTES_FILE: teacher.votes}
    for name, array in arrays.items():
        with make_file(folder / name) as part, part.open("wb") as stream:
            np.save(stream, array)
    facts = {key: value for key, value in asdict(teacher).items() if key not in ("emotions", "votes")}
    facts["predictions"] = digest_arrays(*arrays.values())
    write_file(folder / FACTS_FILE, json.dumps(facts, indent=2) + "\n")


def load_teacher(folder: str | Path) -> Teacher:
    """Read a teacher's folder.

    Raises:
        ConfigError: there is none.
        DatasetError: a file of it is missing or damaged, or they do not belong together.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the teacher {folder} ({error.strerror})",
            advice="Run from the project's root, where the paths of teachers begin, or make it: runs/keep_teacher.py.",
        ) from None
    except ValueError as error:
        raise DatasetError(f"{folder / FACTS_FILE} is not JSON ({error})", advice=AGAIN) from None
    emotions, votes = _load_array(folder / EMOTIONS_FILE), _load_array(folder / VOTES_FILE)
    return _check(folder, facts, emotions, votes)


def _check(folder: Path, facts: Any, emotions: NDArray[np.float16], votes: NDArray[np.float16]) -> Teacher:
    names = {f.name for f in fields(Teacher)} - {"emotions", "votes"}
    if not isinstance(facts, dict) or not names | {"predictions"} <= facts.keys():
        raise DatasetError(f"{folder / FACTS_FILE} lacks some of: {', '.join(sorted(names))}", advice=AGAIN)
    known = {tuple(map(str, emotions_for(count))) for count in (6, 7)}
    labels, vote_labels = facts["labels"], facts["vote_labels"]
    if not (isinstance(labels, list) and tuple(labels) in known and vote_labels == list(map(str, VOTE_LABELS))):
        raise DatasetError(f"{folder / FACTS_FILE} has the labels {labels} and {vote_labels}", advice=AGAIN)
    for key in ("temperature", "votes_temperature"):
        if not (isinstance(facts[key], float | int) and facts[key] > 0):
            raise DatasetError(f"{folder / FACTS_FILE} has the {key} {facts[key]!r}", advice=AGAIN)
    for name, array, outputs in ((EMOTIONS_FILE, emotions, len(labels)), (VOTES_FILE, votes, len(vote_labels))):
        expected = (2, emotions.shape[1] if emotions.ndim == 3 else 0, outputs)
        if array.shape != expected or array.dtype != np.float16 or not np.isfinite(array).all():
            raise DatasetError(
                f"{folder / name} holds {array.dtype} of shape {array.shape}, not finite float16 of {expected}",
                advice=AGAIN,
            )
    if digest_arrays(emotions, votes) != facts["predictions"]:
        raise DatasetError(f"the arrays in {folder} are not those that its {FACTS_FILE} is about", advice=AGAIN)
    facts = {key: facts[key] for key in names} | {"labels": tuple(labels), "vote_labels": tuple(vote_labels)}
    return Teacher(**facts, emotions=emotions, votes=votes)


def _load_array(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"cannot read {path} ({error})", advice=AGAIN) from None
    return array

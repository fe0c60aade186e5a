# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.classification.calibration import softmax
from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import FaceRow, FaceSet
from fervid.datasets.parquet import write_faces
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS
from fervid.errors import ConfigError, DatasetError, FervidError
from fervid.training.checkpoint import read_metrics
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import (
    TrainingData,
    digest_arrays,
    make_training_data,
    prepare_inputs,
    training_rows,
)
from fervid.training.expressions.export import export_onnx
from fervid.training.expressions.loop import train
from fervid.training.expressions.losses import TargetTable, compute_loss, measure_distance
from fervid.training.expressions.mixing import mix
from fervid.training.expressions.network import ExpressionNetwork
from fervid.training.expressions.teachers import Teacher, ask_teacher, load_soft_targets, load_teacher, save_teacher

CPU = torch.device("cpu")


@pytest.fixture
def data(make_faces: Any, recipe: Any) -> TrainingData:
    return make_training_data(make_faces(96, 32, 4), TrainingConfig.from_dict(recipe()))


def make_teacher(data: TrainingData, *, labels: int = 7, seed: int = 0) -> Teacher:
    rng, rows = np.random.default_rng(seed), len(data.images)
    names = EMOTIONS if labels == 7 else EMOTIONS_WITHOUT_DISGUST
    return Teacher(
        model="mentor@0123456789ab",
        faces=digest_arrays(data.images.numpy()),
        labels=tuple(map(str, names)),
        vote_labels=tuple(map(str, VOTE_LABELS)),
        size=20,
        crop=0.9,
        temperature=0.8,
        votes_temperature=1.25,
        public_accuracy=0.7,
        public_votes_accuracy=None,
        emotions=rng.normal(0, 3, (2, rows, labels)).astype(np.float16),
        votes=rng.normal(0, 3, (2, rows, 8)).astype(np.float16),
    )


def taught_by(recipe: Any, *folders: Path, **changes: Any) -> TrainingConfig:
    distillation = {"teachers": [str(folder) for folder in folders], "temperature": 2.0, "weight": 0.75}
    return TrainingConfig.from_dict(recipe(distillation=distillation, **changes))


def test_a_teacher_survives_its_folder(data: TrainingData, tmp_path: Path) -> None:
    teacher = make_teacher(data)
    save_teacher(teacher, tmp_path / "mentor")
    again = load_teacher(tmp_path / "mentor")
    assert np.array_equal(again.emotions, teacher.emotions)
    assert np.array_equal(again.votes, teacher.votes)
    for name in ("model", "faces", "labels", "vote_labels", "size", "crop", "temperature", "public_votes_accuracy"):
        assert getattr(again, name) == getattr(teacher, name)
    assert sorted(path.name for path in (tmp_path / "mentor").iterdir()) == [
        "emotions.npy",
        "teacher.json",
        "votes.npy",
    ]


def test_teachers_teach_the_mean_of_what_they_say(data: TrainingData, recipe: Any, tmp_path: Path) -> None:
    teachers = [make_teacher(data, seed=seed) for seed in (1, 2)]
    for number, teacher in enumerate(teachers):
        save_teacher(teacher, tmp_path / str(number))
    taught = load_soft_targets(taught_by(recipe, tmp_path / "0", tmp_path / "1"), data)
    assert taught is not None
    np.testing.assert_allclose(taught.emotions, sum(softmax(t.emotions, 2.0 * 0.8) for t in teachers) / 2, atol=1e-6)
    np.testing.assert_allclose(taught.votes, sum(softmax(t.votes, 2.0 * 1.25) for t in teachers) / 2, atol=1e-6)
    alone = load_soft_targets(taught_by(recipe, tmp_path / "0"), data)
    assert alone is not None
    assert alone.digest != taught.digest
    assert load_soft_targets(TrainingConfig.from_dict(recipe()), data) is None


def test_a_teacher_of_seven_labels_teaches_six(make_faces: Any, recipe: Any, tmp_path: Path) -> None:
    config = taught_by(recipe, tmp_path / "mentor", labels=6)
    data = make_training_data(make_faces(96, 32, 4), config)
    teacher = make_teacher(data)
    save_teacher(teacher, tmp_path / "mentor")
    taught = load_soft_targets(config, data)
    assert taught is not None
    shares = softmax(teacher.emotions, 0.8)
    folded = np.concatenate([shares[..., :1] + shares[..., 1:2], shares[..., 2:]], axis=2)
    softened = np.sqrt(folded)  # by a temperature of 2, after disgust has become anger
    assert taught.emotions.shape == (2, 96, 6)
    np.testing.assert_allclose(taught.emotions, softened / softened.sum(axis=2, keepdims=True), atol=1e-5)
    order = folded.argsort(axis=2)
    assert (np.diff(np.take_along_axis(taught.emotions.numpy(), order, 2), axis=2) >= -1e-5).all()  # it is kept


def test_a_mirrored_face_gets_the_mirrored_answer(data: TrainingData, recipe: Any, tmp_path: Path) -> None:
    save_teacher(make_teacher(data), tmp_path / "mentor")
    config = taught_by(recipe, tmp_path / "mentor")
    taught = load_soft_targets(config, data)
    assert taught is not None
    rows, mirrored = torch.tensor([5, 2, 5]), torch.tensor([False, True, True])
    targets = TargetTable(data, config, CPU, taught).select(rows, mirrored)
    assert targets.taught_emotions is not None
    assert targets.taught_votes is not None
    for place, (side, row) in enumerate([(0, 5), (1, 2), (1, 5)]):
        assert torch.equal(targets.taught_emotions[place], taught.emotions[side, row])
        assert torch.equal(targets.taught_votes[place], taught.votes[side, row])


def test_the_loss_shares_out_between_targets_and_teachers(data: TrainingData, recipe: Any, tmp_path: Path) -> None:
    save_teacher(make_teacher(data), tmp_path / "mentor")
    config = taught_by(recipe, tmp_path / "mentor", loss={"votes_weight": 0.5})
    rows, mirrored = torch.arange(12), torch.arange(12) % 2 == 0
    targets = TargetTable(data, config, CPU, load_soft_targets(config, data)).select(rows, mirrored)
    emotions, votes = torch.randn(12, 7), torch.randn(12, 8)
    assert targets.taught_emotions is not None
    assert targets.taught_votes is not None

    def divergence(logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        return 4 * (taught * (taught.log() - (logits / 2).log_softmax(1))).sum(1).mean()

    hard = compute_loss(emotions, votes, replace(targets, taught_emotions=None, taught_votes=None), config)
    soft = divergence(emotions, targets.taught_emotions) + 0.5 * divergence(votes, targets.taught_votes)
    torch.testing.assert_close(compute_loss(emotions, votes, targets, config), 0.25 * hard + 0.75 * soft)
    _, mixed = mix(torch.zeros(12, 1, 4, 4), replace(targets, emotions=torch.eye(12, 7)), torch.full((12,), 0.5))
    assert mixed.taught_votes is not None
    torch.testing.assert_close(mixed.taught_votes[0], (targets.taught_votes[0] + targets.taught_votes[11]) / 2)


def test_a_student_who_agrees_has_nothing_to_learn() -> None:
    logits = torch.randn(6, 7)
    assert float(measure_distance(logits, (logits / 3).softmax(1), 3.0)) == pytest.approx(0, abs=1e-5)
    sure = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0]])
    assert float(measure_distance(torch.zeros(1, 7), sure, 1.0)) == pytest.approx(np.log(7), abs=1e-5)


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (lambda folder: (folder / "teacher.json").unlink(), ConfigError, "cannot read the teacher"),
        (lambda folder: (folder / "teacher.json").write_text("{"), DatasetError, "is not JSON"),
        (lambda folder: (folder / "teacher.json").write_text("[]"), DatasetError, "lacks some of"),
        (lambda folder: (folder / "votes.npy").unlink(), DatasetError, "cannot read"),
        (lambda folder: (folder / "votes.npy").write_bytes(b""), DatasetError, "cannot read"),
        (lambda folder: edit_facts(folder, labels=["angry"]), DatasetError, "has the labels"),
        (lambda folder: edit_facts(folder, labels=3), DatasetError, "has the labels"),
        (lambda folder: edit_facts(folder, temperature=0), DatasetError, "has the temperature 0"),
        (lambda folder: edit_facts(folder, faces="000000000000"), DatasetError, "saw other Training faces"),
        (lambda folder: replace_votes(folder, (2, 96, 7)), DatasetError, "of shape"),
        (lambda folder: replace_votes(folder, (96, 8)), DatasetError, "of shape"),
        (lambda folder: replace_votes(folder, (2, 96, 8), np.float32), DatasetError, "holds float32"),
        (lambda folder: replace_votes(folder, (2, 96, 8), value=np.nan), DatasetError, "not finite"),
        (lambda folder: replace_votes(folder, (2, 96, 8)), DatasetError, "are not those"),
    ],
)
def test_a_teacher_that_cannot_be_right_is_refused(
    data: TrainingData,
    recipe: Any,
    tmp_path: Path,
    damage: Callable[[Path], object],
    kind: type[FervidError],
    words: str,
) -> None:
    save_teacher(make_teacher(data), tmp_path / "mentor")
    damage(tmp_path / "mentor")
    with pytest.raises(kind, match=words) as caught:
        load_soft_targets(taught_by(recipe, tmp_path / "mentor"), data)
    assert caught.value.advice


def edit_facts(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "teacher.json").read_text(encoding="utf-8"))
    (folder / "teacher.json").write_text(json.dumps(facts | changes), encoding="utf-8")


def replace_votes(folder: Path, shape: tuple[int, ...], kind: type = np.float16, value: float = 0.5) -> None:
    np.save(folder / "votes.npy", np.full(shape, value, dtype=kind))


def test_a_teacher_of_six_labels_cannot_teach_seven(data: TrainingData, recipe: Any, tmp_path: Path) -> None:
    save_teacher(make_teacher(data, labels=6), tmp_path / "mentor")
    with pytest.raises(ConfigError, match="knows 6 labels, the student 7"):
        load_soft_targets(taught_by(recipe, tmp_path / "mentor"), data)


def test_a_run_keeps_its_teachers(
    data: TrainingData, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fervid.training.expressions import loop

    monkeypatch.setattr(loop, "choose_precision", lambda *_: False)
    save_teacher(make_teacher(data, seed=1), tmp_path / "mentor")
    config = taught_by(recipe, tmp_path / "mentor")

    def stop(progress: Any) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(ConfigError, match="cannot read the teacher"):
        train(taught_by(recipe, tmp_path / "nobody"), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path / "run", on_progress=stop)
    save_teacher(make_teacher(data, seed=2), tmp_path / "mentor")
    with pytest.raises(ConfigError, match="a run with other teachers"):
        train(config, data, tmp_path / "run")
    save_teacher(make_teacher(data, seed=1), tmp_path / "mentor")
    parts = train(config, data, tmp_path / "run")
    whole = train(config, data, tmp_path / "whole")
    assert len(read_metrics(tmp_path / "run")) == 3
    for (name, mine), theirs in zip(parts.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs), name


@pytest.fixture
def model(make_faces: Any, recipe: Any, tmp_path: Path) -> Path:
    """A run's folder with a tiny untrained model."""
    config = TrainingConfig.from_dict(recipe())
    network = ExpressionNetwork(config.network, 7).eval()
    torch.nn.init.normal_(network.emotion_head.weight, std=1.0)
    torch.nn.init.normal_(network.vote_head.weight, std=1.0)
    folder = tmp_path / "run"
    export_onnx(network, make_training_data(make_faces(64, 32, 4), config), folder / "tiny.onnx")
    (folder / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
    return folder


def test_what_a_network_says_is_kept(make_faces: Any, model: Path) -> None:
    faces: FaceSet = make_faces(300, 32, 4)
    faces.images[7] = faces.images[301]  # a PublicTest face, which no student may learn from
    classifier = Classifier(model / "tiny.onnx")
    seen: list[tuple[int, int]] = []
    teacher = ask_teacher(classifier, faces, progress=lambda done, total: seen.append((done, total)))
    images = faces.images[training_rows(faces)]
    plain, mirrored = (
        classifier.run(np.ascontiguousarray(prepare_inputs(pictures, classifier.spec).numpy()))[1]
        for pictures in (images, images[:, :, ::-1])
    )
    assert teacher.emotions.shape == (2, 299, 7)
    assert seen[-1] == (2 * 299 + 32, 2 * 299 + 32)
    np.testing.assert_allclose(teacher.votes, [plain, mirrored], rtol=1e-3, atol=1e-4)
    assert np.abs(plain - mirrored).max() > 0.01
    public = faces.split("PublicTest")
    votes_right = classifier.predict(list(public.images)).votes[:, :7].argmax(1) == public.vote_majority()
    assert teacher.public_votes_accuracy == pytest.approx(votes_right.mean(), abs=1e-4)
    assert teacher.model == classifier.identity


def test_the_script_writes_a_teacher_from_a_run(
    load_script: Callable[[str], ModuleType],
    make_faces: Any,
    model: Path,
    recipe: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = load_script("runs/keep_teacher.py")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    faces = make_faces(96, 32, 4)
    assert faces.votes is not None
    columns = zip(faces.images, faces.emotions.tolist(), faces.splits.tolist(), faces.votes.tolist(), strict=True)
    write_faces(tmp_path / "faces.parquet", (FaceRow(i, e, s, tuple(v)) for i, e, s, v in columns))

    def call(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["keep_teacher.py", *arguments, "--data", str(tmp_path / "faces.parquet")])
        return int(script.main())

    assert call(str(model)) == 0
    assert call(str(model / "tiny.onnx"), "--name", "again") == 0
    assert "96 faces, plain and mirrored" in capsys.readouterr().out
    folders = [tmp_path / "runs" / "teachers" / name for name in ("tiny", "again")]
    first, second = map(load_teacher, folders)
    assert np.array_equal(first.emotions, second.emotions)
    data = make_training_data(faces, TrainingConfig.from_dict(recipe()))
    assert load_soft_targets(taught_by(recipe, *folders), data) is not None
    for arguments in ([str(tmp_path)], [str(model / "none.onnx")], [str(model), "--name", "../up"]):
        assert call(*arguments) == 1
        assert "error: " in capsys.readouterr().err

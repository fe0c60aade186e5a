# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
"""The networks that the package comes with say the same in torch, as ONNX in floating point, and in integers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.classification.calibration import softmax
from fervid.classification.classifier import Classifier
from fervid.datasets.faceset import PUBLIC_TEST, SPLITS
from fervid.datasets.parquet import iterate_faces, open_parquet
from fervid.models.store import list_bundled
from fervid.training.expressions.config import TrainingConfig
from fervid.training.expressions.data import make_training_data, prepare_inputs
from fervid.training.expressions.graph import build_model
from fervid.training.expressions.network import ExpressionNetwork, MirroredNetwork
from fervid.training.expressions.unfolding import read_initial_weights
from fervid.training.expressions.validation import predict
from fervid.training.onnxgraph import fold_norms

RUNS = Path(__file__).parents[2] / "runs"
NORM_FACES = 16
"""That norms are measured on: what they measure is undone again, so a few are enough."""

FACES = 256
"""That the answers are compared on."""


@pytest.mark.parametrize("name", [entry.name for entry in list_bundled() if entry.kind == "expression"])
def test_a_shipped_file_says_what_its_network_says(name: str, shared_data: Path, tmp_path: Path) -> None:
    with open_parquet(shared_data / "fer2013.parquet") as source:
        faces = next(iterate_faces(source, "fer2013.parquet"))[np.arange(NORM_FACES + FACES)]
    faces.splits[NORM_FACES:] = SPLITS.index(PUBLIC_TEST)  # the Training faces come first, and only those are read
    shipped, config = Classifier(name, threads=1), TrainingConfig.from_toml(RUNS / f"{name}.toml")
    spec = shipped.spec
    # Without decay the filters' lengths, which no answer depends on, need not be in balance with it: that takes long.
    still = replace(config, schedule=replace(config.schedule, weight_decay=0.0))
    data = replace(make_training_data(faces, still), spec=spec)
    inputs = prepare_inputs(faces.split(PUBLIC_TEST).images, spec)
    arrays = inputs.contiguous(memory_format=torch.contiguous_format).numpy()

    network = ExpressionNetwork(config.network, config.labels)
    network.load_state_dict(read_initial_weights(name, still, data)[1])
    reader = MirroredNetwork(network.eval()) if config.export.mirror else network.eval()
    model = build_model(fold_norms(reader), spec, precision="float32", producer="test")
    (tmp_path / "float32.onnx").write_bytes(model.SerializeToString())

    logits = predict(reader, inputs, torch.device("cpu"))
    floats = Classifier(tmp_path / "float32.onnx", threads=1).predict_inputs(arrays)
    integers = shipped.predict_inputs(arrays)
    for head, trained, mine, published in (
        ("labels", softmax(logits[0], spec.temperature), floats.label_probabilities, integers.label_probabilities),
        ("votes", softmax(logits[1], spec.votes_temperature), floats.votes, integers.votes),
    ):
        assert np.abs(trained - mine).max() <= 1e-4, head
        assert (mine.argmax(axis=1) == published.argmax(axis=1)).mean() >= 0.97, head
        assert np.abs(mine - published).mean() <= 0.004, head

"""Stored inputs give the stored logits: tightly in one thread, loosely however many threads share the sums."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fervid.classification.calibration import softmax
from fervid.classification.classifier import Classifier
from fervid.models.store import list_bundled

FOLDER = Path(__file__).parent
TIGHT, LOOSE = 5e-4, 5e-3


@pytest.fixture(scope="module")
def update(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("tests/golden/update.py")


def test_every_bundled_network_has_its_golden_file(update: ModuleType) -> None:
    assert sorted(update.MODELS) == [entry.name for entry in list_bundled() if entry.kind == "expression"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("model", ["base", "small"])
def test_stored_inputs_give_the_stored_logits(update: ModuleType, model: str, threads: int) -> None:
    golden = json.loads((FOLDER / f"{model}.json").read_text(encoding="utf-8"))
    classifier = Classifier(model, threads=threads)
    assert golden["model"] == classifier.identity, "a new model: run python tests/golden/update.py"
    computed = update.compute_logits(classifier)
    assert set(computed) == set(golden["logits"])
    for name, heads in golden["logits"].items():
        for head, stored in heads.items():
            difference = np.abs(np.array(computed[name][head]) - np.array(stored)).max()
            assert difference < LOOSE, (name, head)
            if threads == 1:
                assert difference < TIGHT, (name, head)
            probabilities, expected = softmax(np.array(computed[name][head])), softmax(np.array(stored))
            assert np.abs(probabilities - expected).max() < TIGHT


@pytest.mark.parametrize("model", ["base", "small"])
def test_the_golden_faces_read_as_people_read_them(update: ModuleType, model: str) -> None:
    classifier = Classifier(model, threads=1)
    chips = update.make_inputs()
    votes = classifier.predict([chips["astronaut"]]).votes[0]
    assert classifier.spec.vote_labels[int(votes.argmax())] == "happy"
    assert votes.max() > 0.8

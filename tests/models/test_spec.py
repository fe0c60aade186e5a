import dataclasses
import json

import pytest

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST
from fervid.errors import ContractError
from fervid.models.spec import LAYERS_KEY, SPEC_KEY, Layer, ModelSpec, layers_from_metadata, layers_to_metadata

SPEC = ModelSpec(
    name="tiny", version="1", labels=EMOTIONS, size=44, crop=44 / 48, mean=128.5, std=64.25, temperature=1.1,
    votes_temperature=0.9, threshold=0.4, training_data="generated", licence="Apache-2.0", recipe="none",
)  # fmt: skip


@pytest.mark.parametrize("labels", [EMOTIONS, EMOTIONS_WITHOUT_DISGUST])
def test_a_spec_survives_the_metadata_exactly(labels: tuple[str, ...]) -> None:
    spec = dataclasses.replace(SPEC, labels=labels)
    assert ModelSpec.from_metadata(spec.to_metadata(), "tiny") == spec


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("happy", "sad")}, {"kernel": "lanczos"}, {"size": 0}, {"crop": -1.0}, {"std": 0.0},
        {"temperature": 0.0}, {"votes_temperature": -1.0}, {"threshold": 1.5}, {"vote_labels": ("a",)},
        {"mean": float("nan")}, {"crop": float("inf")}, {"temperature": float("inf")}, {"mean": 10**400},
        {"crop": True}, {"size": 44.5}, {"size": "44"}, {"threshold": None}, {"name": 5}, {"version": 1},
        {"licence": None}, {"training_data": ["faces"]}, {"recipe": {}}, {"labels": [[], {}]},
    ],
)  # fmt: skip
def test_values_that_cannot_be_right_break_the_contract(change: dict[str, object]) -> None:
    table = json.loads(SPEC.to_metadata()[SPEC_KEY]) | change
    with pytest.raises(ContractError):
        ModelSpec.from_metadata({SPEC_KEY: json.dumps(table)}, "tiny")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"labels": []}', '{"labels": ["a"], "vote_labels": [], "x": 1}']
)
def test_a_damaged_spec_is_named(text: str) -> None:
    with pytest.raises(ContractError, match="tiny"):
        ModelSpec.from_metadata({SPEC_KEY: text}, "tiny")


def test_a_file_without_a_spec_is_another_projects() -> None:
    with pytest.raises(ContractError, match=r"carries no fervid\.spec"):
        ModelSpec.from_metadata({}, "yunet")


def test_the_layer_table_survives_the_metadata() -> None:
    layers = [Layer("stem.0", "Conv 3×3", (24, 44, 44), 240, 836_352)]
    assert layers_from_metadata(layers_to_metadata(layers)) == layers
    assert layers_from_metadata({}) == []


@pytest.mark.parametrize(
    "text",
    [
        "{", "7", "[1]", '[["a", "Conv", 1, 2, 3]]', '[["a", "Conv", [1], "many", 3]]', '[[1, "Conv", [1], 2, 3]]',
        '[["a", null, [1], 2, 3]]', '[["a", "Conv", [1], 2, Infinity]]', f'[["a", "Conv", [1], 2, {10**400}]]',
    ],
)  # fmt: skip
def test_a_damaged_layer_table_breaks_the_contract(text: str) -> None:
    with pytest.raises(ContractError, match=r"damaged fervid\.layers"):
        layers_from_metadata({LAYERS_KEY: text})

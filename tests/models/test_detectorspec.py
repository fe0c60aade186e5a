import dataclasses
import json

import pytest

from fervid.errors import ContractError
from fervid.models.detectorspec import DetectorSpec, output_names
from fervid.models.spec import SPEC_KEY, ModelSpec, find_task

SPEC = DetectorSpec(
    name="tiny", version="1", colour_order="RGB", mean=0.0, std=1.0, score_threshold=0.5, overlap_threshold=0.3,
    smallest_face=12.0, largest_face=400.0, framing=(0.93, 0.004, -0.012), training_data="generated",
    licence="Apache-2.0", recipe="none",
)  # fmt: skip


def test_a_spec_survives_the_metadata_exactly() -> None:
    spec = dataclasses.replace(SPEC, strides=(4, 8, 16), colour_order="BGR", mean=127.5, std=128.0)
    assert DetectorSpec.from_metadata(spec.to_metadata(), "tiny") == spec


@pytest.mark.parametrize(
    "change",
    [
        {"colour_order": "GREY"}, {"strides": []}, {"strides": [16, 8]}, {"strides": [8, 8]}, {"strides": [0, 8]},
        {"strides": [8, 12]}, {"std": 0.0}, {"mean": float("nan")}, {"score_threshold": 1.1},
        {"overlap_threshold": -0.1}, {"smallest_face": 0}, {"largest_face": 10.0}, {"framing": [1.0, 0.0]},
        {"framing": [0.0, 0.0, 0.0]}, {"framing": None}, {"name_": "x"}, {"layout": "rows"},
        {"layout": "pixels", "mean": 1.0}, {"layout": "pixels", "std": 2.0}, {"version": 1}, {"licence": None},
        {"training_data": []}, {"recipe": {}}, {"largest_face": float("inf")}, {"largest_face": 10**400}, {"std": True},
        {"score_threshold": "0.5"}, {"framing": [1.0, 0.0, "0"]}, {"framing": [1.0, 0.0, float("nan")]},
        {"strides": [8.0, 16.0]}, {"strides": ["8"]}, {"colour_order": []},
    ],
)  # fmt: skip
def test_values_that_cannot_be_right_break_the_contract(change: dict[str, object]) -> None:
    table = json.loads(SPEC.to_metadata()[SPEC_KEY]) | change
    with pytest.raises(ContractError, match="tiny"):
        DetectorSpec.from_metadata({SPEC_KEY: json.dumps(table)}, "tiny")


def test_a_file_of_before_takes_planes() -> None:
    table = json.loads(SPEC.to_metadata()[SPEC_KEY])
    del table["layout"]
    assert DetectorSpec.from_metadata({SPEC_KEY: json.dumps(table)}, "tiny") == SPEC
    assert SPEC.layout == "planes"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"task": "detection"}', '{"task": "detection", "strides": 8}'])
def test_a_damaged_spec_is_named(text: str) -> None:
    with pytest.raises(ContractError, match="tiny"):
        DetectorSpec.from_metadata({SPEC_KEY: text}, "tiny")


def test_a_file_without_a_spec_is_another_projects() -> None:
    assert find_task({}) is None
    with pytest.raises(ContractError, match=r"carries no fervid\.spec"):
        DetectorSpec.from_metadata({}, "yunet")


def test_the_two_tasks_are_told_apart() -> None:
    expression = {SPEC_KEY: json.dumps({"name": "base", "labels": []})}
    assert find_task(expression) == "expression"
    assert find_task(SPEC.to_metadata()) == "detection"
    with pytest.raises(ContractError, match="base is no face detector; its task is expression"):
        DetectorSpec.from_metadata(expression, "base")
    with pytest.raises(ContractError, match="tiny is no expression network; its task is detection"):
        ModelSpec.from_metadata(SPEC.to_metadata(), "tiny")


def test_outputs_are_named_kind_by_kind() -> None:
    assert output_names((8, 16)) == ["cls_8", "cls_16", "obj_8", "obj_16", "bbox_8", "bbox_16", "kps_8", "kps_16"]
    assert SPEC.outputs == output_names((8, 16, 32))

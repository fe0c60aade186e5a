"""The faces: valid everywhere, continuous, distinct, and the same in both formats."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fervid
from fervid.drawing.emoji import LARGEST_SIZE, describe, draw_emoji, render_emoji
from fervid.drawing.face import build_face
from fervid.drawing.features import PURE_FEATURES, Features, blend_features
from fervid.drawing.shapes import Fill
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import UsageError
from fervid.results import Distribution

SVG = "{http://www.w3.org/2000/svg}"


def distributions(labels: tuple[str, ...] = VOTE_LABELS) -> st.SearchStrategy[dict[str, float]]:
    weights = st.lists(st.floats(0, 1), min_size=len(labels), max_size=len(labels)).filter(lambda w: sum(w) > 1e-3)
    return weights.map(lambda w: {label: value / sum(w) for label, value in zip(labels, w, strict=True)})


def on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.float64) / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


@settings(max_examples=50, deadline=None)
@given(distributions())
def test_every_distribution_gives_a_small_valid_picture(probabilities: dict[str, float]) -> None:
    text = draw_emoji(probabilities)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox") == "-100 -100 200 200"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text
    assert root[0].text.startswith("Expression: ")
    assert len(text.encode()) < 6000
    assert not re.search(r"nan|inf|[0-9]e[-+]?[0-9]", re.sub(r'(id="|#)[0-9a-f]+', "", text.split("</title>")[1]))


@settings(max_examples=50, deadline=None)
@given(distributions())
def test_every_coordinate_lies_inside_the_head(probabilities: dict[str, float]) -> None:
    for shape in build_face(blend_features(probabilities)):
        margin = 0 if isinstance(shape, Fill) else shape.width / 2
        assert 0 <= shape.opacity <= 1
        if isinstance(shape, Fill) and shape.clip is not None:
            continue
        for x, y in shape.outline.flatten():
            assert math.isfinite(x)
            assert math.isfinite(y)
            assert math.hypot(x, y) + margin <= 96.01


@settings(max_examples=50, deadline=None)
@given(distributions())
def test_references_in_the_svg_resolve(probabilities: dict[str, float]) -> None:
    text = draw_emoji(probabilities)
    defined = re.findall(r' id="([^"]+)"', text)
    assert len(set(defined)) == len(defined)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) == set(defined)


def test_two_drawings_in_one_page_share_no_identifier() -> None:
    first, second = (set(re.findall(r' id="([^"]+)"', draw_emoji({label: 1.0}))) for label in ("happy", "sad"))
    assert first
    assert second
    assert not first & second


def test_drawing_twice_gives_the_same_bytes() -> None:
    mixture = {"happy": 0.6, "surprise": 0.4}
    assert draw_emoji(mixture) == draw_emoji(dict(reversed(mixture.items())))
    assert np.array_equal(render_emoji(mixture, 64), render_emoji(mixture, 64))


@pytest.mark.parametrize("label", VOTE_LABELS)
def test_a_pure_distribution_is_the_pure_face(label: str) -> None:
    blended, pure = blend_features({label: 1.0}), PURE_FEATURES[label]
    for name in Features.__dataclass_fields__:
        assert getattr(blended, name) == pytest.approx(getattr(pure, name), abs=1e-3), name


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.sampled_from(list(itertools.combinations(VOTE_LABELS, 2))))
def test_two_expressions_mix_linearly(share: float, pair: tuple[str, str]) -> None:
    first, second = (PURE_FEATURES[label] for label in pair)
    blended = blend_features({pair[0]: share, pair[1]: 1 - share})
    for name in Features.__dataclass_fields__:
        if not name.startswith("head_"):
            expected = share * getattr(first, name) + (1 - share) * getattr(second, name)
            assert getattr(blended, name) == pytest.approx(expected, abs=1e-9), name


@settings(max_examples=20, deadline=None)
@given(distributions(), distributions())
def test_a_small_change_of_probability_is_a_small_change_of_the_picture(
    here: dict[str, float], there: dict[str, float]
) -> None:
    moved = {label: 0.995 * here[label] + 0.005 * there[label] for label in VOTE_LABELS}
    difference = np.abs(on_white(render_emoji(here, 48)) - on_white(render_emoji(moved, 48)))
    assert difference.mean() < 1.5
    assert np.quantile(difference, 0.95) < 12


@pytest.mark.parametrize("size", [32, 96])
def test_pure_faces_are_told_apart_by_more_than_their_tint(size: int) -> None:
    faces = {label: on_white(render_emoji({label: 1.0}, size)) for label in VOTE_LABELS}
    dark = {label: image.sum(axis=2) < 300 for label, image in faces.items()}
    for first, second in itertools.combinations(VOTE_LABELS, 2):
        assert np.abs(faces[first] - faces[second]).mean() > 6, (first, second)
        union = (dark[first] | dark[second]).sum()
        assert (dark[first] & dark[second]).sum() / union < 0.75, (first, second)


def test_a_mixture_lies_between_its_parts() -> None:
    happy, mixed, surprise = (
        on_white(render_emoji(d, 96)) for d in ({"happy": 1.0}, {"happy": 0.6, "surprise": 0.4}, {"surprise": 1.0})
    )
    whole = np.abs(happy - surprise).mean()
    assert 0 < np.abs(happy - mixed).mean() < whole
    assert 0 < np.abs(surprise - mixed).mean() < whole


@pytest.mark.parametrize("labels", [EMOTIONS_WITHOUT_DISGUST, EMOTIONS, VOTE_LABELS])
def test_an_even_distribution_looks_undecided(labels: tuple[str, ...]) -> None:
    features = blend_features({label: 1 / len(labels) for label in labels})
    assert features.brow_asymmetry > 10  # one brow up
    assert features.skew > 8  # a crooked mouth
    assert features.opening < 6  # closed
    assert draw_emoji({label: 1 / len(labels) for label in labels})


def test_distributions_over_six_and_seven_and_eight_labels_agree() -> None:
    texts = {
        draw_emoji(
            Distribution(labels, [0.7 if label == "sad" else 0.3 if label == "fear" else 0.0 for label in labels])
        )
        for labels in (EMOTIONS_WITHOUT_DISGUST, EMOTIONS, VOTE_LABELS)
    }
    assert texts == {draw_emoji({"sad": 0.7, "fear": 0.3})}


def test_other_spellings_of_a_label_are_understood() -> None:
    assert draw_emoji({"happiness": 1.0}) == draw_emoji({"happy": 1.0})


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"happy": 0.5},
        {"happy": 2.0},
        {"happy": -1.0, "sad": 2.0},
        {"happy": math.nan},
        {"joyful": 1.0},
        {"happy": 0.5, "happiness": 0.5},
    ],
)
def test_what_is_no_distribution_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        draw_emoji(wrong)
    with pytest.raises(UsageError):
        render_emoji(wrong, 16)


@pytest.mark.parametrize("wrong", ["happy", Emotion.HAPPY, None, np.full(7, 1 / 7), [("happy", 1.0)]])
def test_what_gives_no_probabilities_hears_what_would(wrong: Any) -> None:
    with pytest.raises(UsageError, match="is no distribution") as caught:
        draw_emoji(wrong)
    assert "{'happy': 1.0}" in caught.value.advice


@pytest.mark.parametrize("size", [1, 2, 7, 33, 300])
def test_pixels_have_the_size_that_was_asked(size: int) -> None:
    image = render_emoji({"happy": 1.0}, size)
    assert image.shape == (size, size, 4)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("size", [0, -1, LARGEST_SIZE + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(UsageError):
        render_emoji({"happy": 1.0}, size)


@pytest.mark.parametrize("size", [32, 128, 300])
def test_the_head_is_a_circle_on_nothing(size: int) -> None:
    alpha = render_emoji({"neutral": 1.0}, size)[..., 3].astype(np.float64) / 255
    assert alpha[0, 0] == alpha[-1, -1] == 0
    assert alpha[size // 2, size // 2] == 1
    assert alpha.sum() == pytest.approx(math.pi * (0.48 * size) ** 2, rel=0.02)
    assert np.abs(alpha - alpha.T).mean() < 0.003


def test_a_turned_face_is_the_face_turned() -> None:
    upright, turned = render_emoji({"angry": 1.0}, 128), render_emoji({"angry": 1.0}, 128, rotation_deg=90)
    assert np.abs(on_white(np.rot90(upright, -1)) - on_white(turned)).mean() < 1.0


def test_a_symmetric_face_is_symmetric() -> None:
    image = on_white(render_emoji({"happy": 1.0}, 256))
    assert np.abs(image - image[:, ::-1]).mean() < 1.0


def test_the_title_says_the_shares() -> None:
    assert describe({"surprise": 0.38, "happy": 0.6, "sad": 0.02}) == "happy 60 %, surprise 38 %"


def test_the_public_name() -> None:
    assert fervid.emoji is draw_emoji

# ruff: noqa: E402  (torch is looked for before what needs it)
from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

from fervid.training.curves import finish_panel, part_labels, plot_curve
from fervid.training.expressions.curves import draw_curves


def make_metrics(epochs: int, *, votes: bool = True) -> list[dict[str, Any]]:
    lines = []
    for epoch in range(1, epochs + 1):
        accuracy = 0.7 - 0.5 * math.exp(-epoch / 4)
        lines.append(
            {
                "epoch": epoch,
                "size": 32 if epoch < 7 else 44,
                "learning_rate": 0.1 * (1 - epoch / epochs),
                "train_loss": 4 - 3 * accuracy,
                "public_accuracy": accuracy,
                "public_nll": 2 - accuracy,
                **({"public_votes_accuracy": accuracy + 0.1} if votes else {}),
            }
        )
    return lines


def draw(metrics: list[dict[str, Any]], path: Path) -> np.ndarray[Any, Any]:
    draw_curves(metrics, path, title="tiny")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def count(pixels: np.ndarray[Any, Any], colour: tuple[int, int, int]) -> int:
    return int((np.abs(pixels - np.array(colour)).max(axis=2) < 12).sum())


BLUE, ORANGE, BAND = (31, 111, 180), (194, 98, 14), (243, 244, 246)


def test_curves_and_stages_are_drawn(tmp_path: Path) -> None:
    metrics = make_metrics(12)
    pixels = draw(metrics, tmp_path / "curves.png")
    assert pixels.shape[1] >= 1200
    assert min(count(pixels, BLUE), count(pixels, ORANGE)) > 500
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    one_stage = draw([{**line, "size": 44} for line in metrics], tmp_path / "curves.png")
    assert count(pixels, BAND) > count(one_stage, BAND) + 100_000


def test_without_votes_there_is_no_votes_curve(tmp_path: Path) -> None:
    pixels = draw(make_metrics(12, votes=False), tmp_path / "curves.png")
    assert count(pixels, ORANGE) == 0
    assert count(pixels, BLUE) > 500


def test_one_epoch_is_enough(tmp_path: Path) -> None:
    pixels = draw(make_metrics(1), tmp_path / "curves.png")
    assert count(pixels, BLUE) > 50


def test_values_of_curves_that_end_together_stand_below_one_another() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ends = {"a": 0.8671, "b": 0.8664, "c": 0.8671, "d": 0.2, "e": 0.95}
    metrics = [{"epoch": 1, **dict.fromkeys(ends, 0.5)}, {"epoch": 2, **ends}]
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for key in ends:
        plot_curve(axes, metrics, key, key, "black", 1, "{:.3f}")
    finish_panel(axes, metrics, "")
    part_labels(figure)
    figure.draw_without_rendering()
    boxes = {key: text.get_window_extent() for key, text in zip(ends, axes.texts, strict=True)}
    order = sorted(boxes, key=lambda key: boxes[key].y0)
    assert order == ["d", "b", "a", "c", "e"]
    for lower, upper in itertools.pairwise(order):
        assert boxes[upper].y0 >= boxes[lower].y1 - 0.01
    height = boxes["d"].height
    for key, end in ends.items():
        here = (boxes[key].y0 + boxes[key].y1) / 2
        assert here == pytest.approx(axes.transData.transform((2, end))[1], abs=2 + (key in "abc") * height)

"""The figures in README and the model cards are what the committed models do."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fervid.datasets.parquet import read_faces
from fervid.emotions import EMOTIONS
from fervid.evaluation.corruptions import CORRUPTIONS, STRENGTHS
from fervid.evaluation.heads import Estimate
from fervid.evaluation.robustness import CorruptionBenchmark, Robustness

ROOT = Path(__file__).parents[2]


@pytest.fixture
def quote_figures(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("runs/quote_figures.py")


def test_readme_and_cards_quote_todays_figures(quote_figures: ModuleType, shared_data: Path) -> None:
    stale = quote_figures.find_stale(read_faces(shared_data / "fer2013.parquet"))
    assert not stale, "run: python runs/quote_figures.py faces.parquet"


def test_readme_and_every_card_have_figures(quote_figures: ModuleType) -> None:
    documents = [ROOT / "README.md", *(ROOT / "src" / "fervid" / "models" / "bundled").glob("*.md")]
    assert len(documents) > 1
    for document in documents:
        assert quote_figures.MARKED.search(document.read_text(encoding="utf-8")), document


def test_corruptions_of_a_card_come_with_intervals(quote_figures: ModuleType) -> None:
    shares = np.linspace(0.5, 1.0, num=len(CORRUPTIONS) * len(STRENGTHS)).reshape(len(CORRUPTIONS), -1)
    measured = Robustness("answer", "FER+ majority", *(Estimate(0.7, 0.6, 0.8, 200),) * 3, accuracy=shares)
    names = tuple(corruption.name for corruption in CORRUPTIONS)
    benchmark = CorruptionBenchmark("base@0", "PublicTest", "0", tuple(EMOTIONS), 300, 0, names, (measured,))
    table = quote_figures.format_corruptions(benchmark, full=True).split("\n\n")[-1].splitlines()
    assert len(table) == 2 + len(names)
    assert table[2].startswith("| defocus | 50.0 % (43.1–56.9) | ")  # Wilson's interval of 100 in 200
    assert table[-1].endswith(" | 100.0 % (98.1–100.0) | 200 |")

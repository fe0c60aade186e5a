"""The figures in README and the model cards are what the committed models do."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from fervid.datasets.parquet import read_faces

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

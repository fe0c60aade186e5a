"""How many labels a server answers with. Its clients need not know what its networks were trained on."""

from __future__ import annotations

from typing import Final, cast

from fervid.emotions import LabelCount
from fervid.pipeline import Analyzer

LABELS: Final = "6 counts disgust as anger; a network that was trained so always does."
"""What clients are told of the option."""


def limit_labels(labels: int, analyzer: Analyzer) -> LabelCount:
    """The number that was asked for, 7 or 6, or what the analyzer's network knows where that is less."""
    return cast("LabelCount", min(labels, len(analyzer.classifier.spec.labels)))

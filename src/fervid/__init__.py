"""fervid reads facial expressions: a picture goes in, every face and its expression come out.

Importing this package loads nothing heavy; names are resolved when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fervid.drawing.annotation import annotate
    from fervid.drawing.emoji import draw_emoji as emoji
    from fervid.drawing.emojification import emojify
    from fervid.drawing.evidence import explain
    from fervid.drawing.timeline import plot_timeline
    from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
    from fervid.errors import (
        ConfigError,
        ContractError,
        DatasetError,
        DisplayError,
        FervidError,
        ImageError,
        InputError,
        IntegrityError,
        MissingExtraError,
        ModelError,
        OutputError,
        SizeError,
        UnknownModelError,
        UsageError,
        VideoError,
    )
    from fervid.imaging import load_image, save_image
    from fervid.pipeline import Analyzer, analyze
    from fervid.results import Analysis, Evidence, Face, Failure, Frame, Quality
    from fervid.sinks.table import to_pandas
    from fervid.tracking.summary import Summary, summarise
    from fervid.values import Box, Distribution
    from fervid.video.reading import VideoFrame, VideoReader
    from fervid.video.writing import VideoWriter

_HOMES = {
    "Analysis": "fervid.results",
    "Analyzer": "fervid.pipeline",
    "Box": "fervid.values",
    "ConfigError": "fervid.errors",
    "ContractError": "fervid.errors",
    "DatasetError": "fervid.errors",
    "DisplayError": "fervid.errors",
    "Distribution": "fervid.values",
    "EMOTIONS": "fervid.emotions",
    "Emotion": "fervid.emotions",
    "Evidence": "fervid.results",
    "Face": "fervid.results",
    "Failure": "fervid.results",
    "Frame": "fervid.results",
    "FervidError": "fervid.errors",
    "ImageError": "fervid.errors",
    "InputError": "fervid.errors",
    "IntegrityError": "fervid.errors",
    "MissingExtraError": "fervid.errors",
    "ModelError": "fervid.errors",
    "OutputError": "fervid.errors",
    "Quality": "fervid.results",
    "SizeError": "fervid.errors",
    "Summary": "fervid.tracking.summary",
    "UnknownModelError": "fervid.errors",
    "UsageError": "fervid.errors",
    "VOTE_LABELS": "fervid.emotions",
    "VideoError": "fervid.errors",
    "VideoFrame": "fervid.video.reading",
    "VideoReader": "fervid.video.reading",
    "VideoWriter": "fervid.video.writing",
    "analyze": "fervid.pipeline",
    "annotate": "fervid.drawing.annotation",
    "emoji": "fervid.drawing.emoji:draw_emoji",
    "emojify": "fervid.drawing.emojification",
    "explain": "fervid.drawing.evidence",
    "load_image": "fervid.imaging",
    "plot_timeline": "fervid.drawing.timeline",
    "save_image": "fervid.imaging",
    "summarise": "fervid.tracking.summary",
    "to_pandas": "fervid.sinks.table",
}

__all__ = [
    "EMOTIONS",
    "VOTE_LABELS",
    "Analysis",
    "Analyzer",
    "Box",
    "ConfigError",
    "ContractError",
    "DatasetError",
    "DisplayError",
    "Distribution",
    "Emotion",
    "Evidence",
    "Face",
    "Failure",
    "FervidError",
    "Frame",
    "ImageError",
    "InputError",
    "IntegrityError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "Quality",
    "SizeError",
    "Summary",
    "UnknownModelError",
    "UsageError",
    "VideoError",
    "VideoFrame",
    "VideoReader",
    "VideoWriter",
    "__version__",
    "analyze",
    "annotate",
    "emoji",
    "emojify",
    "explain",
    "load_image",
    "plot_timeline",
    "save_image",
    "summarise",
    "to_pandas",
]


if not TYPE_CHECKING:  # to type checkers, every misspelled name would be one

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'fervid' has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)

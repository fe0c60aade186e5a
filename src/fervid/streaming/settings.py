"""Settings in words that fit the options of the command line and the arguments of Python alike."""

from __future__ import annotations

from typing import Any, Final

_WORDS: Final = {
    "source": "the source {}",
    "film": "the film {}",
    "bytes": "a film of {} bytes",
    "model": "the model {}",
    "detector": "the detector {}",
    "labels": "{} labels",
    "min_face": "faces from {} px",
    "smooth_s": "a smoothing of {} s",
    "start_s": "a start at {} s",
    "end_s": "an end at {} s",
    "every_s": "a frame every {} s",
    "range_s": "a range of {} s",
}
_WORDS_FOR_NONE: Final = {"smooth_s": "no smoothing", "end_s": "no end", "every_s": "every frame"}


def describe_setting(name: str, value: Any) -> str:
    """``every_s`` of 0.5 is ``a frame every 0.5 s``, of None or 0 ``every frame``; unknown names stay as they are."""
    if not value and name in _WORDS_FOR_NONE:
        return _WORDS_FOR_NONE[name]
    shown = f"{value:,.12g}" if isinstance(value, int | float) else str(value)
    return _WORDS.get(name, f"{name} {{}}").format(shown)

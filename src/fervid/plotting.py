"""What every figure has in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def plain_style(**settings: Any) -> Iterator[None]:
    """Matplotlib's own defaults, whatever the user's matplotlibrc says, with ``settings`` (``_`` for ``.``) over them.

    SVG ids are the same in every run, and a dollar sign in a file's name is no mathematics.
    """
    import matplotlib.style

    ours = {"font.family": "DejaVu Sans", "svg.hashsalt": "fervid", "text.parse_math": False}
    changes = {name.replace("_", "."): value for name, value in settings.items()}
    with matplotlib.style.context(["default", {**ours, **changes}]):
        yield

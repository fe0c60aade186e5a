"""A photo that every installation has: to try fervid with, and to time it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fervid.errors import InputError


def find_portrait() -> Path:
    """Rear Admiral Grace Hopper, as matplotlib ships her: 512×600 px, one face. Does not import matplotlib.

    The photo is the U.S. Navy's, in the public domain.

    Raises:
        InputError: matplotlib is not installed.
    """
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise InputError("matplotlib, which ships the portrait, is not installed", advice="Install fervid again.")
    return Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"

"""The type that labels are set in: DejaVu Sans, which matplotlib brings along."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@functools.lru_cache(maxsize=64)
def load_font(size_px: int, *, bold: bool = False) -> Font:
    """DejaVu Sans at a height of ``size_px``; Pillow's own typeface where matplotlib's data is missing."""
    path = find_typeface("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    return ImageFont.load_default(size_px) if path is None else ImageFont.truetype(path, size_px)


@functools.cache
def find_typeface(name: str) -> Path | None:
    """Path of a typeface among matplotlib's data, found without importing matplotlib; None when it is not there."""
    spec = importlib.util.find_spec("matplotlib")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            return path
    return None


def measure_text(text: str, font: Font) -> float:
    """Width of a line of text, px."""
    return font.getlength(text)

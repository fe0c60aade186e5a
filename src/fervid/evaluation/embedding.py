"""Pictures inside a page: addresses that hold what they name."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray


def embed_pixels(image: NDArray[np.uint8]) -> str:
    """The address of ``(H, W)`` grey or ``(H, W, 3)`` RGB uint8 pixels, as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    return _embed(stream.getvalue(), "image/png")


def embed_svg(drawing: bytes) -> str:
    """The address of an SVG document."""
    return _embed(drawing, "image/svg+xml")


def _embed(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"

"""Make the pictures of README: ``python docs/make_images.py``; the portrait is scikit-image's (NASA, public domain)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage

import fervid

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """One picture: annotated to the left, the emoji to the right."""
    source = Path(skimage.__file__).parent / "data" / "astronaut.png"
    picture = fervid.load_image(source)
    analysis = fervid.Analyzer(detector="haar").analyze(source)
    gap = np.full((picture.shape[0], 8, 3), 255, dtype=np.uint8)
    both = [fervid.annotate(picture, analysis), gap, fervid.emojify(picture, analysis)]
    fervid.save_image(IMAGES / "astronaut.jpg", np.concatenate(both, axis=1))


if __name__ == "__main__":
    main()

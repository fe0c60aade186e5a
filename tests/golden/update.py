"""Make the golden files again after a new model was published: ``python tests/golden/update.py``.

The inputs are chips of two public-domain portraits (NASA; U.S. Navy) and drawings that need no file.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.classification.classifier import Classifier
from fervid.classification.preprocess import preprocess
from fervid.geometry import Square, central_box, square_box
from fervid.imaging import crop_resize, load_image, save_image

FOLDER = Path(__file__).parent
MODELS = ("base", "small")
PORTRAITS = ("astronaut", "hopper")


def make_inputs() -> dict[str, NDArray[np.uint8]]:
    """The stored chips by name, ``(48, 48)`` uint8 grey."""
    chips = {name: load_image(FOLDER / f"{name}.png")[:, :, 0] for name in PORTRAITS}
    x = np.arange(48)
    chips["ramp"] = np.broadcast_to(x * 5, (48, 48)).astype(np.uint8)
    chips["checks"] = (((x[:, None] // 6 + x[None] // 6) % 2) * 255).astype(np.uint8)
    return chips


def compute_logits(classifier: Classifier) -> dict[str, dict[str, list[float]]]:
    """Both heads' raw logits for every stored chip."""
    logits = {}
    for name, chip in make_inputs().items():
        emotion, vote = classifier.run(preprocess(chip, [Square(central_box(48, 48))], classifier.spec))
        logits[name] = {"emotion_logits": emotion[0].tolist(), "vote_logits": vote[0].tolist()}
    return logits


def cut_portraits() -> None:
    """Write the two chips that come from portraits; done once."""
    import matplotlib
    import skimage

    astronaut = load_image(Path(skimage.__file__).parent / "data" / "astronaut.png")
    hopper = load_image(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    for name, image, square in (
        ("astronaut", astronaut, square_box(225, 114, 99)),
        ("hopper", hopper, square_box(262, 216, 234)),
    ):
        save_image(FOLDER / f"{name}.png", np.round(crop_resize(image, square, 48)).astype(np.uint8))


def main() -> None:
    """Compute and store."""
    for name in MODELS:
        classifier = Classifier(name, threads=1)
        table = {"model": classifier.identity, "logits": compute_logits(classifier)}
        (FOLDER / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""What can be timed, each loaded in a process of its own: networks, steps, detectors, matrix products, peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from fervid.geometry import Square
from fervid.results import Box

Kind = Literal["network", "answer", "preprocessing", "detector", "product", "peer"]
Pixels = NDArray[np.uint8]

SQUARE: Final = Box(145.5, 99.5, 379.5, 333.5)
"""Where the face of the portrait is, in FER2013's framing, px."""

Prepare = Callable[[int], Callable[[], object]]
"""Makes the inputs of a batch of that size; what it returns runs them once."""


def load_subject(kind: Kind, name: str, threads: int, portrait: Pixels) -> Prepare:
    """Load what ``name`` stands for.

    ========================  =====================  ======================================================
    kind                      name                   one run
    ========================  =====================  ======================================================
    ``network``               a model                ready inputs to logits
    ``answer``                a model                cut-out RGB faces to calibrated probabilities
    ``preprocessing``         a model                faces in the portrait to inputs
    ``detector``              a detector             the portrait to face boxes; a batch above 1 is a picture's width
    ``product``               ``float32``            a product of two square matrices whose side is the batch
    ``peer``                  a peer                 one cut-out face to the peer's answer; the batch is not used
    ========================  =====================  ======================================================

    Args:
        kind: see above.
        name: see above.
        threads: within a run. Libraries that read their number of threads from a variable must have been told before.
        portrait: ``(600, 512, 3)`` uint8 RGB, see :func:`find_portrait`.

    Raises:
        FervidError: the model or the detector cannot be used.
    """
    loaders: dict[Kind, Callable[[str, int, Pixels], Prepare]] = {
        "network": load_network,
        "answer": load_answer,
        "preprocessing": load_preprocessing,
        "detector": load_detector,
        "product": lambda _name, _threads, _portrait: prepare_product,
        "peer": load_peer,
    }
    return loaders[kind](name, threads, portrait)


def cut_chip(portrait: Pixels) -> Pixels:
    """The portrait's face alone, ``(234, 234, 3)`` uint8 RGB."""
    x1, y1, x2, y2 = (round(v) for v in (SQUARE.x1, SQUARE.y1, SQUARE.x2, SQUARE.y2))
    return np.ascontiguousarray(portrait[y1:y2, x1:x2])


def load_network(model: str, threads: int, portrait: Pixels) -> Prepare:
    """The network alone, on the portrait's face repeated."""
    from fervid.classification.classifier import Classifier
    from fervid.classification.preprocess import preprocess

    classifier = Classifier(model, threads=threads)
    face = preprocess(portrait, [Square(SQUARE)], classifier.spec)

    def prepare(batch: int) -> Callable[[], object]:
        inputs = np.repeat(face, batch, axis=0)
        return lambda: classifier.run(inputs)

    return prepare


def load_answer(model: str, threads: int, portrait: Pixels) -> Prepare:
    """Everything between a face that is cut out and the probabilities."""
    from fervid.classification.classifier import Classifier

    classifier = Classifier(model, threads=threads)
    chip = cut_chip(portrait)

    def prepare(batch: int) -> Callable[[], object]:
        chips = [chip] * batch
        labels = classifier.spec.labels

        def answer() -> str:
            return str(labels[int(classifier.predict(chips, batch_size=batch).probabilities[0].argmax())])

        return answer

    return prepare


def load_preprocessing(model: str, _threads: int, portrait: Pixels) -> Prepare:
    """Cutting, resizing and normalising faces of the portrait; NumPy's own threads apply."""
    from fervid.classification.preprocess import preprocess
    from fervid.models.runtime import create_session, read_metadata
    from fervid.models.spec import ModelSpec
    from fervid.models.store import load_model

    file = load_model(model)
    spec = ModelSpec.from_metadata(read_metadata(create_session(file, threads=1)), file.name)
    return lambda batch: lambda: preprocess(portrait, [Square(SQUARE)] * batch, spec)


def load_detector(name: str, threads: int, portrait: Pixels) -> Prepare:
    """A detector on the portrait, or with a batch above 1 on a 4 : 3 picture so wide; it answers how many faces."""
    from fervid.detection.selection import create_detector
    from fervid.pipeline import DEFAULT_MIN_FACE

    detector = create_detector(name, threads=threads)

    def prepare(width: int) -> Callable[[], object]:
        image = portrait if width == 1 else frame_portrait(portrait, width)
        return lambda: len(detector.detect(image, min_face=DEFAULT_MIN_FACE))

    return prepare


def frame_portrait(portrait: Pixels, width: int) -> Pixels:
    """The portrait in the middle of a grey 4 : 3 picture, as high as it, ``(3/4 width, width, 3)`` uint8."""
    from fervid.detection.resizing import resize

    height = width * 3 // 4
    across = round(portrait.shape[1] * height / portrait.shape[0])
    picture = np.full((height, width, 3), 127, dtype=np.uint8)
    left = (width - across) // 2
    picture[:, left : left + across] = resize(portrait, across, height)
    return picture


def prepare_product(side: int) -> Callable[[], object]:
    """``(side, side)`` float32 times the same, into memory that is there."""
    rng = np.random.default_rng(side)
    left, right = rng.random((2, side, side), dtype=np.float32)
    result = np.empty_like(left)
    return lambda: np.matmul(left, right, out=result)


def load_peer(name: str, threads: int, portrait: Pixels) -> Prepare:
    """Another package's classifier on the same face."""
    from fervid.evaluation.speed.peers import find_peer

    classify = find_peer(name).load(cut_chip(portrait), threads)
    return lambda _batch: classify

"""Other packages that read expressions, timed beside fervid where they are installed.

Each adapter loads a package's default classifier and calls it the way its own documentation does on a face that is
already cut out, so that its detector is not timed. A package that has no weights yet may fetch them itself.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.errors import UsageError


@dataclass(frozen=True, slots=True)
class Peer:
    """A package and how it is called.

    Attributes:
        name: what people call it.
        module: what must be importable.
        distribution: its name for pip.
        call: what is timed, as one would write it.
        load: takes a ``(H, W, 3)`` RGB uint8 face and the number of threads; gives the call, whose result is the
            expression it names.
    """

    name: str
    module: str
    distribution: str
    call: str
    load: Callable[[NDArray[np.uint8], int], Callable[[], str]]

    @property
    def installed(self) -> bool:
        """Whether the package can be found; it is not imported."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except (ImportError, ValueError):
            return False


def load_fer(chip: NDArray[np.uint8], _threads: int) -> Callable[[], str]:
    """``FER.detect_emotions`` with the face's place given; TensorFlow reads the limit on threads from its variables."""
    network = importlib.import_module("fer.fer").FER()
    image, place = _swap_channels(chip), [(0, 0, chip.shape[1], chip.shape[0])]

    def classify() -> str:
        emotions: dict[str, float] = network.detect_emotions(image, face_rectangles=place)[0]["emotions"]
        return max(emotions, key=emotions.__getitem__)

    return classify


def load_deepface(chip: NDArray[np.uint8], threads: int) -> Callable[[], str]:
    """``DeepFace.analyze`` for the expression alone, without a detector; on TensorFlow, torch or ONNX Runtime."""
    limit_onnxruntime(threads)
    package = importlib.import_module("deepface.DeepFace")
    image = _swap_channels(chip)

    def classify() -> str:
        answers = package.analyze(
            img_path=image, actions=["emotion"], enforce_detection=False, detector_backend="skip", silent=True
        )
        return str((answers[0] if isinstance(answers, list) else answers)["dominant_emotion"])

    return classify


def load_emotiefflib(chip: NDArray[np.uint8], threads: int) -> Callable[[], str]:
    """``EmotiEffLibRecognizer.predict_emotions`` with the ONNX engine and the package's default network."""
    limit_onnxruntime(threads)
    recognizer = importlib.import_module("emotiefflib.facial_analysis").EmotiEffLibRecognizer(engine="onnx")

    def classify() -> str:
        labels, _ = recognizer.predict_emotions(chip, logits=False)
        return str(labels[0])

    return classify


PEERS: Final = (
    Peer("fer", "fer", "fer", "FER().detect_emotions(image, face_rectangles)", load_fer),
    Peer("deepface", "deepface", "deepface", 'DeepFace.analyze(actions=["emotion"], "skip")', load_deepface),
    Peer("EmotiEffLib", "emotiefflib", "emotiefflib", 'EmotiEffLibRecognizer("onnx")', load_emotiefflib),
)
"""The packages that ``fervid benchmark --peers`` looks for."""


def find_peer(name: str) -> Peer:
    """The peer of that name.

    Raises:
        UsageError: there is none.
    """
    for peer in PEERS:
        if peer.name == name:
            return peer
    raise UsageError(f"unknown peer {name!r}", advice=f"Known: {', '.join(p.name for p in PEERS)}.")


def limit_onnxruntime(threads: int) -> None:
    """Give every session of this process that asks for no number of threads this one.

    Packages that make their sessions themselves offer no way to say it, and ONNX Runtime reads no variable for it.
    """
    import onnxruntime

    create: Any = onnxruntime.InferenceSession.__init__

    def create_limited(self: Any, path_or_bytes: Any, sess_options: Any = None, *rest: Any, **others: Any) -> None:
        options = sess_options or onnxruntime.SessionOptions()
        if options.intra_op_num_threads == 0:
            options.intra_op_num_threads = threads
        create(self, path_or_bytes, options, *rest, **others)

    onnxruntime.InferenceSession.__init__ = create_limited


def _swap_channels(chip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB to BGR, contiguous, as OpenCV's functions want it."""
    return np.ascontiguousarray(chip[:, :, ::-1])

"""A detector that needs no training: it takes every red dot for a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid.models.detectorspec import INPUT, DetectorSpec

DOT = 16
"""Side of a dot, px: it covers one cell of stride 8 at least, wherever it lies."""
FACE = 24
"""Height of the box that is drawn around a cell, px of the network's input."""

SPEC = DetectorSpec(
    name="dots", version="1", colour_order="RGB", mean=10.0, std=2.0, score_threshold=0.7, overlap_threshold=0.1,
    smallest_face=20.0, largest_face=200.0, framing=(0.9, 0.01, -0.02), training_data="none", licence="Apache-2.0",
    recipe="tests/dotdetector.py",
)  # fmt: skip


def write_detector(
    path: Path,
    spec: DetectorSpec = SPEC,
    *,
    size: int | None = None,
    drop: tuple[str, ...] = (),
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write the network.

    Args:
        path: where to.
        spec: that it carries, and follows in the order of colours and their range.
        size: fixed side of its input; any if None.
        drop: outputs to leave out.
        metadata: to carry instead of the spec.
    """
    from onnx import TensorProto, helper, numpy_helper, save_model

    def constant(name: str, *values: float, shape: tuple[int, ...] | None = None) -> TensorProto:
        array = np.array(values, dtype=np.float32)
        return numpy_helper.from_array(array.reshape(shape or array.shape), name)

    def shape_of(name: str, *values: int) -> TensorProto:
        return numpy_helper.from_array(np.array(values, dtype=np.int64), name)

    sign = [1.0, -1.0, 0.0] if spec.colour_order == "RGB" else [0.0, -1.0, 1.0]
    pixels = spec.layout == "pixels"
    contrast = spec.std / 240
    initializers = [
        constant("redness", *(contrast * s for s in sign), shape=(1, 3, 1, 1)),
        constant("nothing", 0.0),
        constant("one", 1.0),
        constant("box", 0.5, 0.5, *[np.log(FACE / 8)] * 2, shape=(1, 1, 4)),
        constant("points", *np.arange(10) / 10, shape=(1, 1, 10)),
        shape_of("column", 1, -1, 1),
    ]
    nodes = [
        helper.make_node("Cast", [INPUT], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], perm=(0, 3, 1, 2) if pixels else (0, 1, 2, 3)),
        helper.make_node("Conv", ["planes", "redness"], ["red"]),
        helper.make_node("Clip", ["red", "nothing", "one"], ["clipped"]),
    ]
    outputs = []
    for stride in spec.strides:
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        flat, none = f"flat_{stride}", f"none_{stride}"
        nodes += [
            helper.make_node("AveragePool", ["clipped"], [f"mean_{stride}"], **pool),
            helper.make_node("Reshape", [f"mean_{stride}", "column"], [flat]),
            helper.make_node("Mul", [flat, "nothing"], [none]),
            helper.make_node("Add", [flat if stride == 8 else none, "nothing"], [f"cls_{stride}"]),
            helper.make_node("Add", [none, "one"], [f"obj_{stride}"]),
            helper.make_node("Add", [none, "box"], [f"bbox_{stride}"]),
            helper.make_node("Add", [none, "points"], [f"kps_{stride}"]),
        ]
        for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            if f"{kind}_{stride}" not in drop:
                outputs.append(helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, [1, None, width]))
    sides = [size or "height", size or "width"]
    shape, kind = ([1, *sides, 3], TensorProto.UINT8) if pixels else ([1, 3, *sides], TensorProto.FLOAT)
    source = helper.make_tensor_value_info(INPUT, kind, shape)
    graph = helper.make_graph(nodes, path.stem, [source], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, spec.to_metadata() if metadata is None else metadata)
    save_model(model, path)
    return path


def paint(width: int, height: int, centres: list[tuple[int, int]]) -> NDArray[np.uint8]:
    """A grey picture with a red dot at each place."""
    image = np.full((height, width, 3), 80, dtype=np.uint8)
    for x, y in centres:
        image[y - DOT // 2 : y + DOT // 2, x - DOT // 2 : x + DOT // 2] = (250, 0, 0)
    return image

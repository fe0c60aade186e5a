"""Arrays and tensors as pictures: which shapes, types and levels are one, and how it becomes RGB uint8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fervid.errors import ImageError, SizeError, UsageError

T = TypeVar("T")

_STRIP: Final = 1 << 18
"""Values that are reduced at a time: wide copies of a whole photo would take several times its memory."""


@runtime_checkable
class TensorLike(Protocol):
    """What fervid knows a torch tensor by."""

    def detach(self) -> Any:
        """The same values without a gradient."""

    def cpu(self) -> Any:
        """The same values in the machine's memory."""

    def numpy(self) -> Any:
        """The same values as an array."""


def iterate_pictures(sources: Iterable[T], verb: str) -> Iterator[T]:
    """One picture after another; a single one is refused, of which every letter, byte or row would be a picture.

    Args:
        sources: pictures; an array ``(N, H, W)`` is N grey ones, a tensor likewise unless N is 1, 3 or 4.
        verb: what reads them.

    Raises:
        UsageError: it is a single picture.
    """
    shape = tuple(getattr(sources, "shape", ()))
    single = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    if isinstance(sources, TensorLike) and len(shape) == 3 and shape[0] in (1, 3, 4):  # (C, H, W)
        single = True
    if not single and not isinstance(sources, str | bytes | bytearray | memoryview):
        try:
            return iter(sources)
        except TypeError:  # a path, a Pillow image
            pass
    raise UsageError(
        f"{verb} reads many pictures, and was given one ({type(sources).__name__})", advice="Give a list: [picture]."
    )


def load_array(array: NDArray[np.uint8] | NDArray[np.uint16], max_pixels: int) -> NDArray[np.uint8]:
    """``(H, W, 3)`` uint8 RGB of ``(H, W)``, ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.

    Raises:
        ImageError: another shape or dtype, or empty.
        SizeError: more than ``max_pixels``.
    """
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)) or 0 in shape:
        raise ImageError(f"an array of shape {shape} is no picture", advice="Give (H, W, 3) RGB uint8.")
    check_size(shape[1], shape[0], "the array", max_pixels)
    if _has_16_bits(array):
        array = reduce_depth(array)
    if array.dtype != np.uint8:
        raise ImageError(f"an array of {array.dtype} is no picture", advice="Give uint8 with values of 0–255.")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        alpha = array[:, :, 3:].astype(np.uint16)
        return ((array[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.array(array, dtype=np.uint8)


def convert_tensor(tensor: TensorLike) -> NDArray[np.uint8]:
    """``(H, W)`` or ``(H, W, C)`` uint8 of a tensor in torch's order.

    Raises:
        ImageError: another shape or dtype, empty, or floats beyond 0–1.
    """
    values = tensor.detach().cpu()
    shape, floating = tuple(values.shape), values.is_floating_point()
    name = f"a tensor of {str(values.dtype).removeprefix('torch.')} {shape}"
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in (1, 3, 4)) or 0 in shape:
        advice = "Give (C, H, W) with C of 1, 3 or 4; of a batch, one picture after another."
        if len(shape) == 3 and shape[2] in (1, 3, 4):
            advice = "Channels come first: give tensor.permute(2, 0, 1)."
        raise ImageError(f"{name} is no picture", advice=advice)
    array: NDArray[Any] = (values.float() if floating else values).numpy()  # NumPy knows no bfloat16
    if floating:
        low, high = float(array.min()), float(array.max())
        if not (low >= -1e-3 and high <= 1 + 1e-3):  # what is not a number, too
            raise ImageError(
                f"{name} has values of {low:g} to {high:g}",
                advice="Floats are 0–1: undo the normalisation, or give uint8.",
            )
        array = np.round(np.clip(array, 0, 1) * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ImageError(f"{name} is no picture", advice="Give uint8, or floats of 0–1.")
    return np.asarray(array if array.ndim == 2 else array.transpose(1, 2, 0))


def reduce_depth(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    """More than 8 bits to 8: uint16 by its range, the others by their highest value; what is no number becomes black.

    Integers that exceed 255 have the range of uint16. Floats are 0–1 up to a highest value of 2, 0–255 up to 512, and
    0–65535 beyond: resizing and sharpening overshoot, and what exceeds its range is as bright as its end.

    Args:
        array: ``(H, …)``, uint16 in either order of bytes, int32 or float.

    Returns:
        The same shape.
    """
    reduced = np.empty(array.shape, dtype=np.uint8)
    height = max(1, _STRIP * len(array) // max(1, array.size))
    strips = [slice(row, row + height) for row in range(0, len(array), height)]
    if _has_16_bits(array):
        for rows in strips:
            reduced[rows] = (array[rows].astype(np.uint32) + 128) // 257  # 257 is 65535 / 255
        return reduced
    highest = max((float(_read_levels(array[rows]).max(initial=0)) for rows in strips), default=0.0)
    unit, byte = (2, 512) if np.issubdtype(array.dtype, np.floating) else (0, 255)  # integers are no shares of 1
    factor = 255 / 65535 if highest > byte else 1 if highest > unit else 255
    for rows in strips:
        reduced[rows] = np.clip(np.round(_read_levels(array[rows]) * factor), 0, 255)
    return reduced


def _read_levels(array: NDArray[np.generic]) -> NDArray[np.float64]:
    """The same values in float64; 0 for those that are no finite number."""
    return np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)


def _has_16_bits(array: NDArray[np.generic]) -> bool:
    """Whether it is uint16, in this machine's order of bytes or in the other: so TIFF has it."""
    return array.dtype.kind == "u" and array.dtype.itemsize == 2


def check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    """Refuse what is empty or too large.

    Raises:
        ImageError: there is no pixel.
        SizeError: there are more than ``max_pixels``.
    """
    if width * height == 0:
        raise ImageError(f"{name} has {width}×{height} pixels", advice="Give a picture that is not empty.")
    if width * height > max_pixels:
        error = SizeError(
            f"{name} has {width}×{height} = {width * height:,} pixels",
            advice=f"The limit is {max_pixels:,}; reduce the picture, or in Python raise max_pixels.",
        )
        error.pixels = width * height
        raise error

"""Pictures in and out, and the one way to cut a face.

Everything inside fervid is RGB uint8 ``(H, W, 3)``, upright. Decoding is Pillow's.
"""

from __future__ import annotations

import errno
import io
import math
import os
import struct
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fervid.arrays import TensorLike, check_size, convert_tensor, load_array, reduce_depth
from fervid.errors import FervidError, ImageError, InputError, OutputError, SizeError
from fervid.files import write_atomically
from fervid.results import Box, Failure

if TYPE_CHECKING:
    from PIL import Image


ImageLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[np.uint8] | NDArray[np.uint16]"
    " | TensorLike"
)
"""Everything that :func:`load_image` reads."""

MAX_PIXELS: Final = 100_000_000
"""Pictures of more pixels than this are refused before they are decoded (decompression bombs)."""

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""File name endings that a folder is searched for."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_OPAQUE: Final = ("JPEG", "BMP")
_STRIP: Final = 8
_ROWS: Final = 256
_LARGEST_BOX: Final = 16  # times the longer side of a picture of 256 px or more
_FINER: Final = 3
_GRID: Final = 64
_LUMA: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as JPEG and Pillow's "L"


class _Silence:
    """No warnings while any thread is inside.

    The filters are the whole process's: threads that each put them back as they found them
    (:class:`warnings.catch_warnings`) leave warnings off for ever, so the first one in and the last one out do it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters.enter_context(warnings.catch_warnings(action="ignore"))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.close()


_silence: Final = _Silence()
_callers: Final = tuple(threading.Lock() for _ in range(61))  # prime, for ids have strides
"""By the image's id: held while a Pillow image of the caller is read, which others may be about to decode, too."""


def load_image(source: ImageLike, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a picture.

    Args:
        source: a path, encoded bytes, a Pillow image, an array: ``(H, W)`` grey, ``(H, W, 1)`` grey,
            ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA, uint8 or uint16; or a torch tensor as torch has pictures:
            ``(H, W)`` or ``(C, H, W)`` with C of 1, 3 or 4, uint8, or floats of 0–1, on any device.
        max_pixels: the most width × height that is accepted; of files no more than Pillow's own limit
            (``2 * PIL.Image.MAX_IMAGE_PIXELS``, 178,956,970).

    Returns:
        ``(H, W, 3)`` uint8 RGB, upright (EXIF orientation applied), the first frame of an animation, transparency laid
        over white, 16-bit depth reduced to 8.

    Raises:
        ImageError: not a picture, damaged, empty, or an array of another shape or dtype.
        SizeError: too many pixels, or too little memory.
        InputError: the file cannot be opened.
    """
    if isinstance(source, np.ndarray):
        return load_array(source, max_pixels)
    from PIL import Image

    if isinstance(source, Image.Image):
        with _callers[id(source) % len(_callers)]:
            return _load_pillow(source, "the picture", max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(io.BytesIO(bytes(source)), "the data", max_pixels)
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(source), str(source), max_pixels)
    if isinstance(source, TensorLike):
        return load_array(convert_tensor(source), max_pixels)
    raise ImageError(
        f"cannot read a picture from {type(source).__name__}",
        advice="Give a path, bytes, a Pillow image, an RGB uint8 array or a torch tensor.",
    )


def hold_pictures(
    sources: Iterable[ImageLike], raised: list[Exception], max_pixels: int
) -> Iterator[ImageLike | Failure]:
    """Pictures that stay as they are until somebody reads them: one object may be filled anew for the next picture.

    Args:
        sources: pictures; what they raise is the end of them.
        raised: takes that exception.
        max_pixels: see :func:`load_image`.

    Yields:
        Paths and bytes as they are, of everything else the pixels; a :class:`.Failure` where there are none.
    """
    try:
        for source in sources:
            if isinstance(source, str | os.PathLike | bytes):
                yield source
                continue
            try:
                yield load_image(source, max_pixels=max_pixels)
            except FervidError as error:
                yield Failure(type(source).__name__, error)
    except Exception as error:
        raised.append(error)


def save_image(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """Write ``(H, W, 3)`` uint8 RGB (or RGBA, or ``(H, W)`` grey) in the format that the file's ending names.

    Transparency is laid over white in JPEG and BMP, which have none. The file appears whole or not at all; its folder
    is made if absent.

    Raises:
        ImageError: the array is no picture, or the ending names no format.
        OutputError: the file cannot be written.
    """
    from PIL import Image

    final = Path(path)
    if final.suffix.lower() not in SUFFIXES:
        raise ImageError(
            f"no picture format ends in {final.suffix!r}", advice=f"Use one of {', '.join(sorted(SUFFIXES))}."
        )
    if image.dtype != np.uint8 or 0 in image.shape or not (image.ndim == 2 or image.shape[2:] in ((3,), (4,))):
        raise ImageError(f"cannot save {image.dtype} {image.shape}", advice="Give (H, W, 3) uint8.")
    picture = Image.fromarray(image)
    file_format = Image.registered_extensions()[final.suffix.lower()]
    if picture.mode == "RGBA" and file_format in _OPAQUE:
        picture = lay_over_white(picture).convert("RGB")  # as load_image would show it from a PNG
    elif file_format == "JPEG":
        picture = picture.convert("RGB")
    try:
        with write_atomically(final) as part:
            picture.save(part, format=file_format, **({"quality": 92} if file_format == "JPEG" else {}))
    except OSError as error:
        if error.errno is not None:
            raise OutputError.for_place(final, error) from None
        raise _unfit(picture, file_format, error) from None
    except (ValueError, OverflowError, struct.error) as error:
        raise _unfit(picture, file_format, error) from None


def _unfit(picture: Image.Image, file_format: str, error: Exception) -> ImageError:
    """Every encoder has its own largest side and its own way to say so."""
    return ImageError(
        f"a picture of {picture.width}×{picture.height} px cannot be {file_format} ({error})",
        advice="Save it as PNG, or reduce it.",
    )


def crop_resize(image: NDArray[np.uint8], box: Box, size: int, angle_deg: float = 0.0) -> NDArray[np.float32]:
    """Cut ``box`` out of a picture and resize it to a grey square: the only such function in fervid.

    The kernel is a triangle as wide as one source pixel when enlarging and as one target pixel when reducing
    ("antialiased bilinear", Pillow's ``BILINEAR``), computed in float64. Pixels outside the picture repeat its border.
    A box on whole pixels whose side is ``size`` returns the pixels as they are. Corners and angle are rounded to 1/64
    first: what two processors' last bits differ by is gone, and the same face has the same pixels everywhere.

    With an angle, the box is turned clockwise around its middle, so that a face tilted by that angle stands upright.
    Where pixels are read turns, the kernel does not: each pixel is what the kernel above gives around its turned
    middle. For speed the kernel is evaluated on an upright grid three times as fine, width / (3 size) px of the
    picture, on which the unturned pixels' middles lie, and what stands between is read bilinearly.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8.
        box: of more than no area, at most 16 times as large as the picture (or 4,096 px), a square where there is an
            angle; it may leave the picture.
        size: side of the result, px.
        angle_deg: degrees.

    Returns:
        ``(size, size)`` float32 grey levels, 0–255.

    Raises:
        ImageError: the box has no area, or is far larger than the picture.
    """
    if box.width <= 0 or box.height <= 0:
        message = f"cannot cut an empty box ({box.width:g}×{box.height:g} px)"
        raise ImageError(message, advice="Give a box of more than no area.")
    height, width = image.shape[:2]
    if max(box.width, box.height) > _LARGEST_BOX * max(width, height, 256):  # else gigabytes of border
        message = f"a box of {box.width:g}×{box.height:g} px is far larger than the picture ({width}×{height} px)"
        raise ImageError(message, advice="Give boxes in pixels of the picture.")
    snapped = Box(*(_snap(value) for value in (box.x1, box.y1, box.x2, box.y2)))
    box = snapped if min(snapped.width, snapped.height) > 0 else box
    angle_deg = _snap(angle_deg)
    if angle_deg == 0:
        return _resize(image, box, size).astype(np.float32)
    return _resize_turned(image, box, size, math.radians(angle_deg)).astype(np.float32)


def _snap(value: float) -> float:
    return math.floor(value * _GRID + 0.5) / _GRID


def _resize(image: NDArray[np.uint8], box: Box, size: int, *, finer: int = 1) -> NDArray[np.float64]:
    """``(size, size)`` by a kernel as wide as if there were ``finer`` times fewer pixels."""
    top, rows = _resampling_weights(box.y1, box.y2, size, image.shape[0], finer)
    left, columns = _resampling_weights(box.x1, box.x2, size, image.shape[1], finer)
    part = image[top : top + rows.shape[1], left : left + columns.shape[1]]
    grey = np.empty(part.shape[:2])
    for start in range(0, len(part), _ROWS):  # few at a time: their channels as float64 are three pictures
        some = part[start : start + _ROWS]
        grey[start : start + _ROWS] = some if some.ndim == 2 else some @ _LUMA
    return np.clip(_apply_weights(columns, _apply_weights(rows, grey).T).T, 0, 255)


def _resize_turned(image: NDArray[np.uint8], box: Box, size: int, angle: float) -> NDArray[np.float64]:
    """The turned path of :func:`crop_resize`; the angle is in radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    fine = _FINER * size
    margin = math.ceil(fine / 2 * (abs(cosine) + abs(sine) - 1)) + 1
    width, growth = fine + 2 * margin, margin / fine
    across, down = box.width * growth, box.height * growth
    around = Box(box.x1 - across, box.y1 - down, box.x2 + across, box.y2 + down)
    sheet = np.ascontiguousarray(_resize(image, around, width, finer=_FINER)).ravel()

    steps, middle = (np.arange(size) + 0.5 - size / 2) * _FINER, (width - 1) / 2
    x = steps * cosine - steps[:, None] * sine + middle
    y = steps * sine + steps[:, None] * cosine + middle
    left, top = x.astype(np.intp), y.astype(np.intp)
    share_x, share_y = x - left, y - top
    first = top * width + left
    upper, lower = sheet.take(first), sheet.take(first + width)
    upper += (sheet.take(first + 1) - upper) * share_x
    lower += (sheet.take(first + width + 1) - lower) * share_x
    return np.asarray(upper + (lower - upper) * share_y)


def _apply_weights(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``weights @ values`` in strips: their weights are mostly zeros, and BLAS starts no threads for small products.

    Its threads cost ten times what they bring here, and more where a film is decoded beside them.
    """
    used = weights != 0
    firsts = used.argmax(axis=1).tolist()
    stops = (used.shape[1] - used[:, ::-1].argmax(axis=1)).tolist()
    product = np.empty((len(weights), values.shape[1]))
    for start in range(0, len(weights), _STRIP):
        stop = min(start + _STRIP, len(weights))
        columns = slice(firsts[start], stops[stop - 1])  # from row to row they move on
        np.matmul(weights[start:stop, columns], values[columns], out=product[start:stop])
    return product


def _resampling_weights(
    start: float, stop: float, size: int, length: int, finer: int
) -> tuple[int, NDArray[np.float64]]:
    """Weights ``(size, K)`` of the K source pixels from the returned offset on, for ``size`` pixels of start–stop."""
    scale = (stop - start) / size
    support = max(1.0, scale * finer)
    centres = start + (np.arange(size) + 0.5) * scale
    first = np.floor(centres - support).astype(np.int64)
    taps = first[:, None] + np.arange(math.ceil(2 * support) + 2)
    weights = np.maximum(0.0, 1.0 - np.abs(taps + 0.5 - centres[:, None]) / support)
    weights /= weights.sum(axis=1, keepdims=True)
    taps = np.clip(taps, 0, length - 1)
    offset, count = int(taps[0, 0]), int(taps[-1, -1] - taps[0, 0]) + 1
    cells = np.arange(size)[:, None] * count + taps - offset
    matrix = np.asarray(np.bincount(cells.ravel(), weights.ravel(), size * count), dtype=np.float64)
    return offset, matrix.reshape(size, count)


def _read_file(path: Path, name: str, max_pixels: int) -> NDArray[np.uint8]:
    try:
        with path.open("rb") as file:  # of which no more is read than a picture needs: it may be a film
            return _decode(file, name, max_pixels)
    except IsADirectoryError:
        raise InputError(f"{path} is a folder", advice="Give the pictures in it.") from None
    except OSError as error:
        raise InputError.for_path(path, error) from None
    except ValueError as error:  # a null byte in the path
        raise InputError(f"{str(path)!r} is no path ({error})") from None


def _decode(stream: IO[bytes], name: str, max_pixels: int) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    advice = f"Give one of: {', '.join(_FORMATS)}."
    with _silence:  # Pillow's bomb and EXIF warnings; our own limit and errors say it better
        try:
            if not stream.seekable():  # a pipe
                stream = io.BytesIO(stream.read())
            if not stream.read(1):
                raise ImageError(f"{name} is empty", advice=advice)
            with Image.open(stream, formats=_FORMATS) as picture:
                return _load_pillow(picture, name, max_pixels)
        except UnidentifiedImageError:
            size = stream.seek(0, io.SEEK_END)
            raise ImageError(f"{name} is not a picture ({size} bytes)", advice=advice) from None
        except Image.DecompressionBombError:
            limit = min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or max_pixels))  # the second is Pillow's own
            error = SizeError(f"{name} has too many pixels", advice=f"The limit is {limit:,}.")
            error.pixels = 2 * (Image.MAX_IMAGE_PIXELS or max_pixels) + 1  # at least
            raise error from None
        except FervidError:
            raise
        except Exception as error:  # damaged headers make Pillow raise almost anything
            raise _explain(name, error) from None


def _load_pillow(picture: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
    width, height = picture.size
    check_size(width, height, name, max_pixels)
    try:
        picture.load()
    except Exception as error:  # and so do damaged pixels
        raise _explain(name, error) from None
    upright = turn_upright(picture)
    if upright.mode.startswith(("I", "F")):
        levels = np.asarray(upright)
        grey = reduce_depth(levels)
        if "transparency" in upright.info:  # the level that a PNG of 16 bits has for it
            grey[levels == upright.info["transparency"]] = 255
        return load_array(grey, max_pixels)
    if upright.has_transparency_data:
        upright = lay_over_white(upright)
    return np.array(upright.convert("RGB"))


def turn_upright(picture: Image.Image) -> Image.Image:
    """A picture as the camera was held; where its EXIF cannot be read, as it is, for its pixels are sound."""
    from PIL import ExifTags
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:  # ImageOps.exif_transpose writes the EXIF anew as well, and fails where a tag is of the wrong type
        with _silence:
            turn = turns.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        turn = None
    return picture if turn is None else picture.transpose(turn)


def lay_over_white(picture: Image.Image) -> Image.Image:
    """A picture with transparency as RGBA without any: what shines through is white."""
    from PIL import Image

    layer = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")  # Pillow knows no direct way
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def _explain(name: str, error: Exception) -> InputError:
    if isinstance(error, MemoryError):  # no fault of the picture
        return SizeError(f"{name} is too large for the memory that is left", advice="Free some, or reduce the picture.")
    no_place = (errno.EINVAL, errno.EOVERFLOW)  # that a header sends to
    if isinstance(error, OSError) and error.errno not in (None, *no_place):  # nor this, but the disk's
        return InputError(f"cannot read {name} ({error.strerror})", advice="Check the disk.")
    return ImageError(f"{name} is damaged ({error})", advice="Save the picture again.")

import io
import os
import struct
import threading
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fervid import imaging
from fervid.arrays import reduce_depth
from fervid.errors import ImageError, InputError, OutputError, SizeError
from fervid.imaging import load_image, save_image


def encode(picture: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=file_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_every_format_is_read_from_bytes_and_files(
    file_format: str, gradient: NDArray[np.uint8], tmp_path: Path
) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encode(Image.fromarray(gradient), file_format, **options)
    image = load_image(data)
    assert image.dtype == np.uint8
    assert image.shape == gradient.shape
    tolerance = {"JPEG": 12, "GIF": 30}.get(file_format, 0)
    assert np.abs(image.astype(int) - gradient).max() <= tolerance
    path = tmp_path / "picture.misnamed"
    path.write_bytes(data)
    assert (load_image(path) == image).all()
    assert (load_image(str(path)) == image).all()


def test_all_kinds_of_sources_give_the_same_pixels(gradient: NDArray[np.uint8]) -> None:
    expected = gradient
    assert (load_image(gradient) == expected).all()
    assert (load_image(Image.fromarray(gradient)) == expected).all()
    data = encode(Image.fromarray(gradient), "PNG")
    assert (load_image(bytearray(data)) == expected).all()
    assert (load_image(memoryview(data)) == expected).all()


def test_the_caller_keeps_its_array(gradient: NDArray[np.uint8]) -> None:
    image = load_image(gradient)
    image[:] = 0
    assert gradient.any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = np.zeros((20, 30, 3), dtype=np.uint8)
    upright[:6, :9] = 255  # a white corner at the top left
    inverse = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a), 7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(inverse[orientation](upright)))
    for file_format in ("PNG", "TIFF"):  # the second is turned by Pillow, as it is decoded
        assert (load_image(encode(stored, file_format, exif=exif)) == upright).all()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_of_a_wrong_type_does_not_damage_a_picture(file_format: str) -> None:
    upright = np.zeros((16, 32, 3), dtype=np.uint8)
    upright[:8, :16] = 255
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    resolution = struct.pack("<HHI4s", 0x011A, 2, 3, b"72")  # as text, where two numbers belong
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + orientation + resolution + bytes(4)
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encode(Image.fromarray(np.rot90(upright)), file_format, exif=exif, **options)
    assert (load_image(data) == upright).all()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\0\0", b"Exif\0\0"])
def test_exif_that_cannot_be_read_does_not_damage_a_picture(file_format: str, exif: bytes) -> None:
    assert (load_image(encode(Image.new("RGB", (16, 8), "white"), file_format, exif=exif)) == 255).all()


def test_transparency_is_laid_over_white(gradient: NDArray[np.uint8]) -> None:
    clear = np.zeros((4, 4, 4), dtype=np.uint8)
    assert (load_image(clear) == 255).all()
    assert (load_image(encode(Image.fromarray(clear), "PNG")) == 255).all()
    palette = Image.new("P", (3, 3), 0)
    palette.putpalette([255, 0, 0])
    assert (load_image(encode(palette, "PNG", transparency=0)) == 255).all()
    assert (load_image(Image.new("La", (3, 3))) == 255).all()  # colours that their alpha is multiplied into


def test_the_transparent_level_of_16_bits_is_white() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 3, 1, 16, 0, 0, 0, 0)
    row = zlib.compress(b"\0" + struct.pack(">3H", 1000, 1001, 40000))
    parts = {
        b"IHDR": header,
        b"tRNS": struct.pack(">H", 1000),
        b"IDAT": row,
        b"IEND": b"",
    }  # Pillow writes no such tRNS
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts.items())
    assert load_image(data)[0, :, 0].tolist() == [255, 4, 156]


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".png"])
def test_transparency_is_saved_as_it_is_loaded(suffix: str, tmp_path: Path) -> None:
    clear = np.zeros((16, 16, 4), dtype=np.uint8)
    clear[:8, :, 3] = 128
    save_image(tmp_path / f"clear{suffix}", clear)
    assert np.abs(load_image(tmp_path / f"clear{suffix}").astype(int) - load_image(clear)).max() <= 1


def test_depth_of_16_bits_is_reduced() -> None:
    deep = np.array([[0, 32896, 65535]], dtype=np.uint16)
    expected = np.repeat(np.array([[0, 128, 255]], dtype=np.uint8)[:, :, None], 3, axis=2)
    assert (load_image(deep) == expected).all()
    assert (load_image(encode(Image.fromarray(deep), "PNG")) == expected).all()
    assert (load_image(encode(Image.fromarray(deep), "TIFF")) == expected).all()
    dark = np.array([[0, 100, 200]], dtype=np.uint16)  # 16 bits, though no value exceeds 255
    assert load_image(encode(Image.fromarray(dark), "PNG")).max() <= 1
    assert load_image(encode(Image.fromarray(dark.astype(">u2")), "TIFF")).max() <= 1
    assert (load_image(deep.astype(">u2")) == expected).all()
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for order in ("<u2", ">u2"):
        assert (load_image(levels.astype(order))[:, :, 0] == np.round(levels / 257)).all()


@pytest.mark.parametrize("highest", [1, 255, 65535])
@pytest.mark.parametrize("beyond", [1, 1.001, 1.9])
def test_floats_are_reduced_by_what_they_reach(highest: int, beyond: float) -> None:
    levels = np.array([[0, highest * 128 / 255, highest, highest * beyond, np.nan]], dtype=np.float32)
    assert load_image(encode(Image.fromarray(levels), "TIFF"))[0, :, 0].tolist() == [0, 128, 255, 255, 0]


def test_integers_of_32_bits_are_reduced_by_what_they_reach() -> None:
    for levels, expected in (([0, 1, 2], [0, 1, 2]), ([0, 128, 255], [0, 128, 255]), ([0, 256, 65535], [0, 1, 255])):
        assert reduce_depth(np.array([levels], dtype=np.int32))[0].tolist() == expected


@pytest.mark.parametrize("kind", ["<u2", "<i4", "<f4"])
def test_depth_is_reduced_in_little_memory(kind: str) -> None:
    levels = np.zeros((1500, 2000), dtype=kind)
    levels[-1, -1], levels[0, 0] = 65535, 257
    tracemalloc.start()
    reduced = reduce_depth(levels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (reduced[-1, -1], reduced[0, 0], reduced.max(axis=1).sum()) == (255, 1, 256)
    assert peak < 5 * reduced.size


def test_grey_cmyk_and_palette_become_rgb() -> None:
    grey = Image.new("L", (5, 4), 90)
    for picture in (grey, grey.convert("1"), grey.convert("CMYK"), grey.convert("P"), grey.convert("LA")):
        image = load_image(picture)
        assert image.shape == (4, 5, 3)
    assert (load_image(grey) == 90).all()


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(load_image(data)[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"GIF89a", "not a picture|damaged"),
        (b"this is text, whatever the file is called", "is not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "not a picture|damaged"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=words):
        load_image(data)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"photo\.jpg"):
        load_image(path)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_pictures_are_damaged(file_format: str, share: float, rng: np.random.Generator) -> None:
    noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    data = data[: int(len(data) * share)]
    with pytest.raises(ImageError):
        load_image(data)
    try:
        lazy = Image.open(io.BytesIO(data))
    except OSError:
        return  # Pillow itself saw the damage already
    with pytest.raises(ImageError, match="the picture is damaged"):
        load_image(lazy)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]), st.integers(0, 2000), st.integers(1, 255))
def test_a_flipped_byte_gives_a_picture_or_an_image_error(file_format: str, place: int, change: int) -> None:
    data = bytearray(encode(Image.linear_gradient("L").resize((24, 24)).convert("RGB"), file_format))
    data[place % len(data)] ^= change
    try:
        image = load_image(bytes(data))
    except InputError:
        return
    assert image.ndim == 3
    assert image.dtype == np.uint8


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_image(tmp_path / "absent.jpg")
    with pytest.raises(InputError, match="is a folder"):
        load_image(tmp_path)
    with pytest.raises(InputError, match="no path"):
        load_image("a\0b.jpg")
    with pytest.raises(InputError, match=r"https://example\.com/a\.jpg is no file.*download it first"):
        load_image("https://example.com/a.jpg")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 2), np.uint8), np.zeros(5, np.uint8),
        np.zeros((5, 5, 3), np.float32), np.zeros((5, 5, 3), np.int64),
    ],
)  # fmt: skip
def test_arrays_that_are_no_pictures_say_what_they_are(array: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="array of"):
        load_image(array)
    with pytest.raises(ImageError, match="0×5"):
        load_image(Image.new("RGB", (0, 5)))
    with pytest.raises(ImageError, match="int"):
        load_image(7)  # type: ignore[arg-type]


def test_threads_that_decode_leave_the_warnings_of_the_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = {name: threading.Event() for name in ("first", "second")}
    may_leave = {name: threading.Event() for name in inside}

    def wait(picture: Image.Image, name: str, max_pixels: int) -> NDArray[np.uint8]:
        thread = threading.current_thread().name
        inside[thread].set()
        assert may_leave[thread].wait(10)
        return np.asarray(picture)

    monkeypatch.setattr("fervid.imaging._load_pillow", wait)
    data = encode(Image.new("RGB", (4, 4)), "PNG")
    filters = list(warnings.filters)
    threads = {name: threading.Thread(target=load_image, args=(data,), name=name) for name in inside}
    for name, thread in threads.items():
        thread.start()
        assert inside[name].wait(10)
    may_leave["first"].set()
    threads["first"].join()
    warnings.warn("Pillow's, of the picture that is still being decoded", stacklevel=1)  # would be an error here
    may_leave["second"].set()
    threads["second"].join()
    assert list(warnings.filters) == filters


def test_threads_read_one_picture_that_is_not_decoded_yet(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (300, 300, 3), dtype=np.uint8)
    data = encode(Image.fromarray(image), "PNG")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for loaded in pool.map(load_image, [Image.open(io.BytesIO(data))] * 8):
                assert (loaded == image).all()


def test_threads_read_different_pictures_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.new("RGB", (4, 4)) for _ in range(9)]
    first, *others = pictures
    other = next(one for one in others if (id(one) - id(first)) % len(imaging._callers))
    both = threading.Barrier(2)

    def meet(picture: Image.Image, *_: object) -> NDArray[np.uint8]:
        both.wait(10)
        return np.asarray(picture)

    monkeypatch.setattr(imaging, "_load_pillow", meet)
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(load_image, (first, other)))) == 2


def test_a_header_that_leads_nowhere_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "big.tif"
    path.write_bytes(b"II\x2b\0\x08\0\0\0" + struct.pack("<Q", (1 << 63) - 1) + bytes(64))
    with pytest.raises(ImageError, match=r"big\.tif is damaged"):
        load_image(path)


def test_no_more_of_a_file_is_read_than_tells_what_it_is(tmp_path: Path) -> None:
    film, photo = tmp_path / "film.mp4", tmp_path / "photo.jpg"
    film.write_bytes(b"\0\0\0\x18ftypisom")
    photo.write_bytes(encode(Image.new("L", (16, 16)), "JPEG"))
    for path in (film, photo):
        os.truncate(path, 1 << 36)
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"film\.mp4 is not a picture \(68719476736 bytes\)"):
        load_image(film)
    with pytest.raises(SizeError, match="16×16"):
        load_image(photo, max_pixels=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_pipe_is_read_whole(gradient: NDArray[np.uint8], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data = encode(Image.fromarray(gradient), "PNG")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
    writer.start()
    assert (load_image(tmp_path / "pipe") == gradient).all()
    writer.join()


def test_too_little_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    data = encode(Image.new("L", (16, 16)), "JPEG")
    (tmp_path / "photo.jpg").write_bytes(data)
    lazy = Image.open(io.BytesIO(data))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    for source in (tmp_path / "photo.jpg", data, lazy):
        with pytest.raises(SizeError, match="too large for the memory that is left"):
            load_image(source)


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    data = encode(Image.new("1", (12_000, 12_000)), "PNG")
    assert len(data) < 100_000
    with pytest.raises(SizeError, match="12000×12000"):
        load_image(data)
    with pytest.raises(SizeError, match="limit is 100,000,000"):
        load_image(encode(Image.new("1", (20_000, 20_000)), "PNG"))
    with pytest.raises(SizeError, match="limit is 178,956,970"):
        load_image(encode(Image.new("1", (20_000, 20_000)), "PNG"), max_pixels=10**9)
    with pytest.raises(SizeError, match="limit is 10"):
        load_image(np.zeros((4, 4, 3), np.uint8), max_pixels=10)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif"])
def test_saving_and_loading(suffix: str, gradient: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "new" / f"a{suffix}"
    save_image(path, gradient)
    assert load_image(path).shape == gradient.shape
    assert list(path.parent.iterdir()) == [path]


def test_saving_refuses_what_it_cannot_write(gradient: NDArray[np.uint8], tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\.txt"):
        save_image(tmp_path / "a.txt", gradient)
    with pytest.raises(ImageError, match="float"):
        save_image(tmp_path / "a.png", gradient.astype(float))  # type: ignore[arg-type]
    for channels in (1, 2, 5):
        with pytest.raises(ImageError, match=rf"\(4, 4, {channels}\)"):
            save_image(tmp_path / "a.png", np.zeros((4, 4, channels), np.uint8))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_image(tmp_path / "file" / "a.png", gradient)


@pytest.mark.parametrize("suffix", [".webp", ".jpg", ".gif"])
def test_a_picture_too_wide_for_its_format_is_told_from_a_full_disk(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"70000×2 px cannot be (WEBP|JPEG|GIF)"):
        save_image(tmp_path / f"wide{suffix}", np.zeros((2, 70_000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_float_tiff_with_a_hole_is_not_black() -> None:
    levels = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
    levels[0, :3] = np.nan, np.inf, -np.inf
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "TIFF")
    assert len(np.unique(load_image(stream.getvalue()))) > 200

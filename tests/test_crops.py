import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fervid.errors import ImageError
from fervid.geometry import square_box
from fervid.imaging import crop_resize, load_image
from fervid.results import Box


@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(-60, 60), st.floats(-60, 60), st.floats(0.1, 150),
    st.integers(1, 50), st.integers(0, 9),
)  # fmt: skip
def test_a_crop_never_leaves_the_range_of_the_picture(
    height: int, width: int, x: float, y: float, side: float, size: int, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    crop = crop_resize(image, square_box(x, y, side), size)
    assert crop.shape == (size, size)
    assert crop.dtype == np.float32
    assert crop.min() >= image.min() - 1e-3
    assert crop.max() <= image.max() + 1e-3


def test_a_crop_on_whole_pixels_is_exact(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (48, 60), dtype=np.uint8)
    assert (crop_resize(image, Box(5, 2, 49, 46), 44) == image[2:46, 5:49]).all()


@pytest.mark.parametrize("side", [20.0, 48.0, 95.5, 300.0])
def test_the_kernel_is_pillows_bilinear(side: float, astronaut: Path) -> None:
    image = load_image(astronaut)
    box = square_box(230.3, 150.7, side)
    grey = Image.fromarray(image).convert("L")
    reference = grey.resize((44, 44), Image.Resampling.BILINEAR, box=(box.x1, box.y1, box.x2, box.y2))
    assert np.abs(crop_resize(image, box, 44) - np.asarray(reference, dtype=np.float32)).max() < 1.6


def test_pixels_outside_repeat_the_border() -> None:
    image = np.array([[10, 200]], dtype=np.uint8)
    crop = crop_resize(image, Box(-4, -4, 0, 0), 4)
    assert crop == pytest.approx(np.full((4, 4), 10.0))


@pytest.mark.parametrize("box", [Box(0, 0, 1e9, 1e9), Box(0, 0, 10, 4097), Box(-5000, 0, 3, 3)])
def test_a_box_that_dwarfs_the_picture_is_refused(box: Box) -> None:
    for angle in (0.0, 20.0):
        with pytest.raises(ImageError, match=r"far larger than the picture \(50×40 px\)"):
            crop_resize(np.zeros((40, 50), np.uint8), box, 44, angle)
    assert crop_resize(np.full((40, 50), 7, np.uint8), Box(0, 0, 10, 4096), 44).shape == (44, 44)


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(ImageError, match="empty box"):
        crop_resize(np.zeros((5, 5), np.uint8), Box(1, 1, 1, 3), 4)


@settings(deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(-60, 60), st.floats(-60, 60), st.floats(0.1, 150),
    st.integers(1, 50), st.floats(-400, 400), st.integers(0, 9),
)  # fmt: skip
def test_a_turned_crop_never_leaves_the_range_of_the_picture(
    height: int, width: int, x: float, y: float, side: float, size: int, angle: float, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    crop = crop_resize(image, square_box(x, y, side), size, angle)
    assert crop.shape == (size, size)
    assert crop.dtype == np.float32
    assert crop.min() >= image.min() - 1e-3
    assert crop.max() <= image.max() + 1e-3


def fractions(low: int, high: int, parts: int = 64) -> st.SearchStrategy[float]:
    """Numbers on the grid that boxes and angles are rounded to."""
    return st.integers(low * parts, high * parts).map(lambda number: number / parts)


@settings(deadline=None)
@given(st.floats(-180, 180), st.floats(65, 95), st.floats(65, 95), st.floats(12, 60), st.integers(12, 48))
def test_a_turned_crop_is_the_crop_of_the_picture_turned_back(
    angle: float, x: float, y: float, side: float, size: int
) -> None:
    def paint(turn_deg: float) -> NDArray[np.uint8]:
        """Waves of a few periods, turned clockwise around the middle of the box."""
        columns, rows = np.meshgrid(np.arange(160) + 0.5 - x, np.arange(160) + 0.5 - y)
        turned = (columns + 1j * rows) * np.exp(-1j * np.radians(turn_deg))
        waves = 127.5 + 80 * np.cos(turned.real / side * 7 + 1) + 40 * np.sin(turned.imag / side * 5)
        return np.asarray(np.round(waves), dtype=np.uint8)

    box = square_box(x, y, side)
    upright, tilted = crop_resize(paint(0), box, size), crop_resize(paint(angle), box, size, angle)
    assert np.abs(tilted - upright).max() < 2 + 10 * (12 / min(size, side)) ** 2  # the two smooth a little differently


@pytest.mark.parametrize("angle", [-45.0, -10.0, 0.01, 5.0, 30.0, 90.0, 180.0])
def test_a_tilted_face_is_cut_out_upright(angle: float, astronaut: Path) -> None:
    image = load_image(astronaut)
    box = square_box(223.4, 119.8, 110.5)
    turned_back = np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.BICUBIC, center=box.centre))
    upright = crop_resize(turned_back, box, 44)
    assert np.abs(crop_resize(image, box, 44, angle) - upright).mean() < 1.5
    if angle not in (0.01, 180.0):
        assert np.abs(crop_resize(image, box, 44, -angle) - upright).mean() > 2.5


@settings(deadline=None, max_examples=20)
@given(fractions(-180, 180), fractions(-5, 45), fractions(-5, 45), fractions(3, 90, parts=32), st.integers(0, 9))
def test_a_turned_crop_is_what_its_definition_says(angle: float, x: float, y: float, side: float, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (40, 44), dtype=np.uint8)
    size, step = 6, side / 6

    def read(place: complex) -> float:
        """What the kernel gives around a place."""
        wide = max(1.0, step)
        columns, rows = (np.arange(math.floor(v - wide) - 1, math.ceil(v + wide) + 1) for v in (place.real, place.imag))
        across = np.maximum(0, 1 - np.abs(columns + 0.5 - place.real) / wide)
        down = np.maximum(0, 1 - np.abs(rows + 0.5 - place.imag) / wide)
        part = image[np.clip(rows, 0, 39)[:, None], np.clip(columns, 0, 43)]
        return float(down @ part @ across / (down.sum() * across.sum()))

    expected = np.zeros((size, size))
    for i, j in np.ndindex(size, size):
        place = complex(j + 0.5 - size / 2, i + 0.5 - size / 2) * np.exp(1j * np.radians(angle)) * 3  # grid steps
        left, top = math.floor(place.real - 0.5) + 0.5, math.floor(place.imag - 0.5) + 0.5  # of an even size
        right, lower = place.real - left, place.imag - top
        corners = [[read(complex(x, y) + complex(left + h, top + v) * step / 3) for h in (0, 1)] for v in (0, 1)]
        expected[i, j] = np.array([1 - lower, lower]) @ corners @ np.array([1 - right, right])
    assert np.abs(crop_resize(image, square_box(x, y, side), size, angle) - expected).max() < 1e-3


@given(fractions(-180, 180), fractions(0, 30), fractions(0, 30), fractions(2, 60, parts=32), st.floats(-0.007, 0.007))
def test_last_bits_of_corners_and_angles_do_not_matter(
    angle: float, x: float, y: float, side: float, beside: float
) -> None:
    image = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    box, other = Box(x, y, x + side, y + side), Box(x + beside, y - beside, x + side + beside, y + side + beside)
    assert (crop_resize(image, other, 12, angle + beside) == crop_resize(image, box, 12, angle)).all()


def test_a_box_smaller_than_the_grid_is_still_cut() -> None:
    image = np.random.default_rng(3).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    crop = crop_resize(image, square_box(10.5, 8.5, 0.001), 4)
    assert crop == pytest.approx(float(image[8, 10] @ [0.299, 0.587, 0.114]), abs=0.5)


@given(st.floats(-1e-6, 1e-6), st.floats(5, 35), st.floats(5, 35), st.floats(1, 90), st.integers(1, 48))
def test_the_smallest_turn_changes_next_to_nothing(angle: float, x: float, y: float, side: float, size: int) -> None:
    image = np.random.default_rng(size).integers(0, 256, (40, 40), dtype=np.uint8)
    box = square_box(x, y, side)
    assert crop_resize(image, box, size, angle) == pytest.approx(crop_resize(image, box, size), abs=1e-2)


@given(st.sampled_from([90.0, 180.0, 270.0, -90.0]), st.floats(5, 35), st.floats(1, 90), st.integers(1, 48))
def test_a_quarter_turn_turns_the_pixels(angle: float, x: float, side: float, size: int) -> None:
    image = np.random.default_rng(size).integers(0, 256, (40, 40), dtype=np.uint8)
    box = square_box(x, 21.3, side)
    turned = np.rot90(crop_resize(image, box, size), round(angle / 90))
    assert crop_resize(image, box, size, angle) == pytest.approx(turned, abs=1e-2)


def test_no_angle_is_the_plain_crop(astronaut: Path) -> None:
    image = load_image(astronaut)
    box = square_box(230.3, 150.7, 95.5)
    assert (crop_resize(image, box, 44, angle_deg=0.0) == crop_resize(image, box, 44)).all()

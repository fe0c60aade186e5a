import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.detection.resizing import resize, resize_longest, resize_region


@pytest.fixture
def noise(rng: np.random.Generator) -> NDArray[np.uint8]:
    small = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((901, 607), Image.Resampling.BICUBIC))


def test_the_longer_side_is_reduced_to_the_limit() -> None:
    small, factor = resize_longest(np.zeros((100, 400, 3), dtype=np.uint8), 100)
    assert small.shape == (25, 100, 3)
    assert factor == 0.25
    same, one = resize_longest(small, 100)
    assert same is small
    assert one == 1


@pytest.mark.parametrize("size", [(901, 607), (1800, 1300), (450, 303), (123, 99), (60, 40), (7, 5), (1, 1)])
def test_the_result_is_pillows(noise: NDArray[np.uint8], size: tuple[int, int]) -> None:
    expected = Image.fromarray(noise).resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
    difference = np.abs(resize(noise, *size).astype(int) - np.asarray(expected, dtype=int))
    assert difference.max() <= 1
    exact = Image.fromarray(noise).resize(size, Image.Resampling.BILINEAR)
    assert np.abs(np.asarray(expected, dtype=int) - np.asarray(exact, dtype=int)).mean() < 8


@pytest.mark.parametrize("factor", [1.0, 0.8, 0.31, 0.22, 0.05, 1.7])
def test_parts_are_what_the_whole_has_there(noise: NDArray[np.uint8], factor: float) -> None:
    height, width = round(noise.shape[0] * factor), round(noise.shape[1] * factor)
    whole = resize(noise, width, height)
    across, down = noise.shape[1] / width, noise.shape[0] / height
    x1, x2, y1, y2 = width // 3, width - 2, height // 4, height - 1
    part = resize_region(noise, (x1 * across, y1 * down, x2 * across, y2 * down), x2 - x1, y2 - y1)
    assert part.shape == (y2 - y1, x2 - x1, 3)
    difference = np.abs(part.astype(int) - whole[y1:y2, x1:x2].astype(int))
    assert difference.max() <= 1


def test_grey_pictures_stay_grey(noise: NDArray[np.uint8]) -> None:
    assert resize(noise[:, :, 0], 30, 20).shape == (20, 30)

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.detection.passes import MARGIN, MAX_ENLARGEMENT, TALLEST, Pass, Tile, find_cut, plan_passes, split_tiles

SMALLEST, LARGEST, TILE = 20.0, 480.0, (1280, 1280)


def plan(width: int, height: int, min_face: float, tile: tuple[int, int] = TILE) -> tuple[Pass, ...]:
    return plan_passes(width, height, min_face=min_face, smallest=SMALLEST, largest=LARGEST, tile=tile)


def test_a_small_picture_is_read_once_as_it_is() -> None:
    for min_face in (20.0, 60.0, 1000.0):
        assert plan(640, 430, min_face) == (Pass(640, 430, (Tile(0, 0, 640, 430),)),)


@pytest.mark.parametrize("side", [48, 100, 224, 290, 320])
def test_a_face_that_fills_its_picture_is_read_well_within_what_the_network_finds(side: int) -> None:
    passes = plan_passes(side, side, min_face=20, smallest=20, largest=320, tile=TILE)
    assert any(20 < TALLEST * reading.height < 320 for reading in passes)


def test_faces_smaller_than_the_network_sees_need_a_larger_picture() -> None:
    first, second = plan(640, 480, 12.5)
    assert (first.width, first.height) == (1024, 768)
    assert second.pixels < 0.2 * first.pixels
    assert plan(500, 200, 1.0)[0].width == 500 * MAX_ENLARGEMENT


def test_a_tiny_picture_is_enlarged() -> None:
    assert (plan(200, 100, 20.0)[0].width, plan(200, 100, 500.0)[0].width) == (320, 320)
    assert plan(48, 48, 20.0) == (Pass(192, 192, (Tile(0, 0, 192, 192),)),)
    assert plan(320, 100, 20.0)[0].width == 320


def test_a_large_picture_is_read_in_tiles_and_reduced() -> None:
    passes = plan(4000, 3000, 20.0)
    assert [len(reading.tiles) for reading in passes] == [12, 1, 1]
    assert (passes[0].width, passes[0].height) == (4000, 3000)
    assert sum(reading.pixels for reading in passes) < 1.4 * 4000 * 3000


def test_who_looks_for_large_faces_alone_pays_less() -> None:
    costs = [sum(reading.pixels for reading in plan(4000, 3000, min_face)) for min_face in (10, 20, 60, 300)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 30 * costs[2]
    assert plan(4000, 3000, 300.0)[0].width == 1280


def test_a_network_of_a_fixed_size_has_tiles_of_that_size() -> None:
    for reading in plan(1280, 720, 20.0, (640, 640)):
        assert all(tile.width <= 640 and tile.height <= 640 for tile in reading.tiles)
    assert plan(640, 640, 20.0, (640, 640))[0].tiles == (Tile(0, 0, 640, 640),)


@pytest.mark.parametrize("largest", [21.0, 30.0, 100.0])
def test_a_network_that_sees_few_sizes_needs_more_passes_but_an_end(largest: float) -> None:
    passes = plan_passes(5000, 4000, min_face=20, smallest=20, largest=largest, tile=TILE)
    assert passes[-1].height <= largest
    assert len(passes) < 25


@settings(deadline=None)
@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    min_face=st.floats(5, 400),
    tile=st.sampled_from([(640, 640), (1280, 1280), (640, 480)]),
    size=st.floats(0, 1),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_every_face_stands_whole_and_at_a_good_size_somewhere(
    width: int, height: int, min_face: float, tile: tuple[int, int], size: float, x: float, y: float
) -> None:
    least = max(min_face, SMALLEST / MAX_ENLARGEMENT)
    most = min(width, height)
    if most < least:
        return
    face = least * (most / least) ** size
    left, top = x * (width - face), y * (height - face)
    for reading in plan(width, height, min_face, tile):
        across, down = reading.width / width, reading.height / height
        box = np.array([[left * across, top * down, (left + face) * across, (top + face) * down]])
        if not SMALLEST * 0.97 <= face * down <= LARGEST * 1.03:  # sides are rounded to pixels
            continue
        if any(inside(box, part) and not find_cut(box, part, reading)[0] for part in reading.tiles):
            return
    pytest.fail(f"a face of {face:.1f} px at {left:.1f}, {top:.1f} is seen nowhere")


def inside(box: np.ndarray, tile: Tile) -> bool:
    x1, y1, x2, y2 = box[0]
    slack = 1e-6
    return bool(x1 >= tile.x1 - slack and y1 >= tile.y1 - slack and x2 <= tile.x2 + slack and y2 <= tile.y2 + slack)


@settings(deadline=None)
@given(width=st.integers(1, 20_000), height=st.integers(1, 5000))
def test_tiles_cover_every_pixel_within_their_limit(width: int, height: int) -> None:
    tiles = list(split_tiles(width, height, TILE))
    assert all(0 < t.width <= TILE[0] and 0 < t.height <= TILE[1] for t in tiles)
    spans = sorted({(t.x1, t.x2) for t in tiles}), sorted({(t.y1, t.y2) for t in tiles})
    for found, length in zip(spans, (width, height), strict=True):
        assert found[0][0] == 0
        assert found[-1][1] == length
        assert all(before[1] > after[0] for before, after in itertools.pairwise(found)), "neighbours overlap"
    assert len(tiles) == len(spans[0]) * len(spans[1])


def test_a_box_at_a_seam_is_cut_and_one_at_the_pictures_border_is_not() -> None:
    reading = Pass(200, 100, (Tile(0, 0, 120, 100), Tile(80, 0, 200, 100)))
    touching = 120 - MARGIN * 20 + 0.1
    boxes = np.array(
        [[0, 0, 20, 20], [-5, 85, 15, 105], [touching - 20, 40, touching, 60], [110, 0, 130, 20], [90, 40, 110, 60]]
    )
    assert find_cut(boxes, reading.tiles[0], reading).tolist() == [False, False, True, True, False]
    assert find_cut(boxes[4:] - [9, 0, 9, 0], reading.tiles[1], reading).tolist() == [True]
    assert find_cut(boxes[:0], reading.tiles[0], reading).tolist() == []

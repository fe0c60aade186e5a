# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import numpy as np
import torch
from torch import Tensor

from fervid.detection.decoding import decode
from fervid.training.detection.assignment import (
    Grid,
    assign_cells,
    decode_boxes,
    find_candidates,
    make_grid,
    pairwise_overlap,
)
from fervid.training.detection.config import LossConfig, NetworkConfig
from fervid.training.detection.data import Batch
from fervid.training.detection.losses import compute_losses, find_doubtful, measure_boxes
from fervid.training.detection.network import PRIOR, STRIDES, DetectionNetwork
from fervid.training.detection.validation import split_outputs

SIZE = 128
FACES = torch.tensor([[10.0, 12, 26, 32], [60, 20, 120, 100], [70, 90, 82, 106], [0, 0, 127, 128]])


@pytest.fixture
def grid() -> Grid:
    return make_grid(SIZE, SIZE, torch.device("cpu"))


def make_batch(boxes: Tensor, ignored: Tensor | None = None, *, scores: float = 0.9) -> Batch:
    """One scene for each box; landmarks in the corners and the middle."""
    n = len(boxes)
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    points = torch.stack(
        [torch.stack(p, dim=1) for p in ((x1, y1), (x2, y1), ((x1 + x2) / 2, (y1 + y2) / 2), (x1, y2), (x2, y2))], dim=1
    )
    ignored = torch.zeros(0, 4) if ignored is None else ignored
    return Batch(
        images=torch.zeros(max(n, 1), 3, SIZE, SIZE, dtype=torch.uint8),
        owners=torch.arange(n),
        boxes=boxes,
        landmarks=points,
        scores=torch.full((n,), scores),
        ignored_owners=torch.zeros(len(ignored), dtype=torch.int64),
        ignored=ignored,
    )


def answer_rightly(batch: Batch, grid: Grid, scenes: int) -> Tensor:
    """Sixteen numbers of every cell that say what is true: where the scene's face is, sure in its middle alone."""
    numbers = torch.zeros(scenes, len(grid.strides), 16)
    numbers[..., :2] = -9.0
    for scene, (box, points) in enumerate(zip(batch.boxes, batch.landmarks, strict=True)):
        centre, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
        numbers[scene, :, 2:4] = (centre - grid.origins) / grid.strides[:, None]
        numbers[scene, :, 4:6] = (sides / grid.strides[:, None]).log()
        numbers[scene, :, 6:] = ((points - grid.origins[:, None]) / grid.strides[:, None, None]).flatten(1)
        cells, valid = find_candidates(box[None], grid)
        numbers[scene, cells[valid], :2] = 9.0
    return numbers


def split(numbers: Tensor, grid: Grid) -> tuple[Tensor, ...]:
    return numbers.split([rows * columns for rows, columns in grid.shapes], dim=1)


def test_the_network_has_one_answer_for_every_cell() -> None:
    network = DetectionNetwork(NetworkConfig()).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 150_000
    with torch.inference_mode():
        outputs = network(torch.zeros(2, 3, 96, 160))
    assert [tuple(part.shape) for part in outputs] == [(2, 240, 16), (2, 60, 16), (2, 15, 16)]
    scores = torch.cat(outputs, dim=1)[..., :2].sigmoid().prod(dim=-1)
    assert float(scores.max()) < 3 * PRIOR  # at first there are no faces


def test_cells_are_where_the_decoder_looks_for_them(grid: Grid) -> None:
    numbers = torch.randn(1, len(grid.strides), 16, generator=torch.Generator().manual_seed(1))
    boxes, scores, points = decode(split_outputs(split(numbers, grid)), SIZE, SIZE, STRIDES)
    mine = decode_boxes(numbers[0, :, 2:6], grid.origins, grid.strides)
    np.testing.assert_allclose(boxes, mine, atol=1e-3)
    np.testing.assert_allclose(scores, numbers[0, :, :2].sigmoid().prod(dim=1).sqrt(), atol=1e-5)
    offsets = numbers[0, :, 6:].reshape(-1, 5, 2) * grid.strides[:, None, None] + grid.origins[:, None]
    np.testing.assert_allclose(points, offsets, atol=1e-3)


def test_every_face_gets_cells_of_its_own(grid: Grid) -> None:
    owners = torch.tensor([0, 0, 0, 1])
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, len(grid.strides), 2, generator=generator) * 0.3
    found = torch.zeros(2, len(grid.strides), 4)
    for owner, face in zip(owners.tolist(), FACES, strict=True):  # a face's cells all see it as it is: strides decide
        cells, valid = find_candidates(face[None], grid)
        found[owner, cells[valid]] = face
    scenes, cells, faces = assign_cells(logits, found, owners, FACES, grid)
    assert len(cells) == len((scenes * len(grid.strides) + cells).unique())
    assert set(faces.tolist()) == {0, 1, 2, 3}
    assert (scenes == owners[faces]).all()
    strides = [grid.strides[cells][faces == face].mode().values.item() for face in range(4)]
    assert strides == [8, 16, 8, 32]
    middles = grid.origins[cells] + grid.strides[cells][:, None] / 2
    centres = ((FACES[:, :2] + FACES[:, 2:]) / 2)[faces]
    assert ((middles - centres).abs() <= 2.5 * grid.strides[cells][:, None]).all()


def test_two_faces_in_one_place_do_not_share_a_cell(grid: Grid) -> None:
    boxes = torch.tensor([[40.0, 40, 60, 64], [40, 40, 60, 64]])
    numbers = torch.zeros(1, len(grid.strides), 6)
    found = decode_boxes(numbers[..., 2:], grid.origins, grid.strides)
    _, cells, _ = assign_cells(numbers[..., :2], found, torch.zeros(2, dtype=torch.int64), boxes, grid)
    assert len(cells) == len(cells.unique()) > 0


def test_right_answers_lose_nothing(grid: Grid) -> None:
    batch = make_batch(FACES)
    numbers = answer_rightly(batch, grid, len(FACES))
    losses = compute_losses(split(numbers, grid), batch, grid, LossConfig())
    assert float(losses["box"]) < 1e-3
    assert float(losses["landmarks"]) < 1e-3
    assert float(losses["quality"]) < 1e-3
    parts = sum(float(value) for key, value in losses.items() if key != "loss")
    assert float(losses["loss"]) == pytest.approx(parts, rel=1e-5)
    numbers[..., 2:] += 0.3
    worse = compute_losses(split(numbers, grid), batch, grid, LossConfig())
    assert float(worse["box"]) > 0.3
    assert float(worse["landmarks"]) > 0.3


def test_doubtful_places_teach_nothing(grid: Grid) -> None:
    ignored = torch.tensor([[64.0, 64, 95, 95]])
    batch = make_batch(FACES[:1], ignored)
    doubtful = find_doubtful(batch, grid, 1)[0]
    middles = grid.origins + grid.strides[:, None] / 2
    inside = ((middles > 64) & (middles < 95)).all(dim=1)
    assert doubtful[inside].all()
    far = (middles - 80).abs().max(dim=1).values > 16 + grid.strides
    assert not doubtful[far].any()
    numbers = torch.zeros(1, len(grid.strides), 16, requires_grad=True)
    compute_losses(split(numbers, grid), batch, grid, LossConfig())["loss"].backward()
    assert numbers.grad is not None
    assert (numbers.grad[0, doubtful] == 0).all()
    assert (numbers.grad[0, ~doubtful, 1] != 0).all()


def test_a_face_counts_as_the_teacher_is_sure(grid: Grid) -> None:
    numbers = torch.zeros(1, len(grid.strides), 16)
    sides = [
        float(compute_losses(split(numbers, grid), make_batch(FACES[:1], scores=s), grid, LossConfig())["box"])
        for s in (0.4, 0.6, 0.8, 1.0)
    ]
    assert sides[0] == 0
    assert 0 < sides[1] <= sides[2] == sides[3]


def test_with_focus_what_is_nearly_right_counts_less(grid: Grid) -> None:
    batch = make_batch(FACES[:1])
    numbers = torch.full((1, len(grid.strides), 16), -1.0)
    plain, focused = (
        float(compute_losses(split(numbers, grid), batch, grid, LossConfig(focus=focus))["objectness"])
        for focus in (0.0, 2.0)
    )
    numbers[0, :20, 1] = 6.0  # cells far from the face are sure of one
    wrong, wrong_focused = (
        float(compute_losses(split(numbers, grid), batch, grid, LossConfig(focus=focus))["objectness"])
        for focus in (0.0, 2.0)
    )
    assert 0 < focused < 0.2 * plain
    assert wrong_focused - focused == pytest.approx(wrong - plain, rel=0.1)


def test_a_scene_without_faces_is_learnt_from(grid: Grid) -> None:
    numbers = torch.zeros(1, len(grid.strides), 16, requires_grad=True)
    losses = compute_losses(split(numbers, grid), make_batch(torch.zeros(0, 4)), grid, LossConfig())
    losses["loss"].backward()
    assert numbers.grad is not None
    assert (numbers.grad[..., 1] > 0).all()
    assert (numbers.grad[..., 2:] == 0).all()


def test_unknown_points_teach_nothing(grid: Grid) -> None:
    batch = make_batch(FACES[:1])
    batch.landmarks[0, 2:] = torch.nan
    numbers = torch.zeros(1, len(grid.strides), 16, requires_grad=True)
    losses = compute_losses(split(numbers, grid), batch, grid, LossConfig())
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"])
    assert numbers.grad is not None
    assert (numbers.grad[..., 10:] == 0).all()
    assert (numbers.grad[..., 6:10] != 0).any()


def test_boxes_that_agree_lose_least() -> None:
    truth = torch.tensor([[10.0, 10, 30, 40]])
    moved = [truth + torch.tensor([[d, 0.0, d, 0.0]]) for d in (0.0, 3.0, 10.0, 60.0)]
    losses = [float(measure_boxes(box, truth, pairwise_overlap(box, truth))) for box in moved]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(0, abs=1e-6)
    assert losses[-1] > 1  # even without any overlap the distance counts

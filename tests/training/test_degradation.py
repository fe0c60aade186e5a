# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import io
import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch
from PIL import Image

from fervid.geometry import central_box
from fervid.imaging import crop_resize
from fervid.training.expressions.config import CameraConfig
from fervid.training.expressions.degradation import compress, degrade, make_blur, make_motion, place, smear
from fervid.training.noise import Noise, Share


@pytest.fixture
def faces() -> torch.Tensor:
    """Smooth pictures with edges, as faces are, on whole grey levels."""
    source = torch.Generator().manual_seed(1)
    coarse = torch.rand(64, 1, 6, 6, generator=source)
    smooth = torch.nn.functional.interpolate(coarse, size=48, mode="bicubic", align_corners=False).clamp(0, 1)
    smooth[:, :, 20:30, 8:40] = coarse[:, :, :1, :1]
    return torch.round(smooth * 255) / 255


def run(x: torch.Tensor, config: CameraConfig, seed: int = 0) -> torch.Tensor:
    return degrade(x, config, Noise(torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("quality", [5, 30, 75, 95])
def test_compression_is_pillows(faces: torch.Tensor, quality: int) -> None:
    """But for ties: libjpeg computes its cosines in whole numbers and rounds a coefficient the other way at times."""
    noise = torch.randn(64, 48, 48, generator=torch.Generator().manual_seed(2))
    rough = torch.round((faces[:, 0] * 255 + 12 * noise).clamp(0, 255))
    ours = compress(rough / 255, torch.full((64,), quality)) * 255
    theirs = torch.empty_like(rough)
    for row, face in enumerate(rough):
        stream = io.BytesIO()
        Image.fromarray(face.byte().numpy()).save(stream, "JPEG", quality=quality)
        theirs[row] = torch.from_numpy(np.asarray(Image.open(stream), dtype=np.float32))
    difference, loss = (ours - theirs).abs(), (theirs - rough).abs()
    assert difference.mean() < 0.25 * loss.mean()
    assert difference.mean() < 0.4


def test_each_face_has_its_own_quality(faces: torch.Tensor) -> None:
    quality = torch.tensor([10, 90])
    both = compress(faces[[0, 0], 0], quality)
    assert torch.equal(both[1:], compress(faces[:1, 0], quality[1:]))
    assert (both[0] - faces[0, 0]).abs().mean() > 2 * (both[1] - faces[0, 0]).abs().mean()


@pytest.mark.parametrize("side", [12, 17, 24, 48])
def test_enlarging_is_the_products_and_reducing_takes_means(side: int) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (48, 48)).astype(np.uint8)
    down, up = place(torch.tensor([side]), torch.tensor([0]), 48, 56)
    small = down[0].double() @ torch.from_numpy(picture).double() @ down[0].double().T
    torch.testing.assert_close(small[side:, :side], small[side - 1, :side].expand(56 - side, side), msg="ends repeat")
    small = small[:side, :side]
    assert float(small.mean()) == pytest.approx(picture.mean(), abs=1e-3)
    if 48 % side == 0:
        blocks = picture.reshape(side, 48 // side, side, 48 // side).mean((1, 3))
        np.testing.assert_allclose(small, blocks, atol=1e-3)
    grey = torch.round(small).clamp(0, 255).byte().numpy()
    canvas = torch.zeros(56, 56)
    canvas[:side, :side] = torch.from_numpy(grey).float()
    large = up[0] @ canvas @ up[0].T
    np.testing.assert_allclose(large, crop_resize(grey, central_box(side, side), 48), atol=1e-2)


@pytest.mark.parametrize("offset", [0, 3, 7])
def test_where_a_face_lies_on_the_canvas_leaves_no_trace(offset: int) -> None:
    sides = torch.tensor([13, 40, 48])
    down, up = place(sides, torch.tensor([offset] * 3), 48, 56)
    at_zero = place(sides, torch.tensor([0] * 3), 48, 56)
    torch.testing.assert_close(up @ down, at_zero[1] @ at_zero[0])
    assert torch.equal((up @ down)[2], torch.eye(48))
    torch.testing.assert_close(down.sum(2), torch.ones(3, 56))
    torch.testing.assert_close(up.sum(2), torch.ones(3, 48))


def test_blur_spreads_as_far_as_it_says() -> None:
    kernel = make_blur(torch.tensor([0.0, 1.0, 3.0]), 41)
    assert torch.equal(kernel[0], torch.eye(41))
    distance = torch.arange(41.0) - 20
    assert float((kernel[1, 20] * distance**2).sum()) == pytest.approx(1.0, abs=1e-3)
    assert float((kernel[2, 20] * distance**2).sum()) == pytest.approx(9.0, abs=0.05)
    torch.testing.assert_close(kernel.sum(2), torch.ones(3, 41))


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 137])
def test_motion_spreads_along_its_line_as_far_as_it_says(degrees: float) -> None:
    length = torch.tensor([0.0, 3.0, 9.0, 12.0])
    angle = torch.full((4,), math.radians(degrees))
    kernels = make_motion(length, angle, torch.zeros(4), 8)
    place = torch.arange(-8.0, 9)
    along = place * math.cos(angle[0]) + place[:, None] * math.sin(angle[0])
    across = place[:, None] * math.cos(angle[0]) - place * math.sin(angle[0])
    assert float(kernels[0, 8, 8]) > 0.9, "none is a point"
    for kernel, way in zip(kernels[1:], (3.0, 9.0, 12.0), strict=True):
        variance = way**2 / 12 + 1 / 12  # an even line's, and that of a pixel itself
        assert float((kernel * along**2).sum()) == pytest.approx(variance, rel=0.06, abs=0.17)
        assert float((kernel * across**2).sum()) < 0.25


def test_lines_of_motion_sum_to_one_and_may_be_heavier_at_one_end() -> None:
    draws = torch.rand(3, 200, generator=torch.Generator().manual_seed(4))
    kernels = make_motion(draws[0] * 12, draws[1] * math.pi, draws[2] * 2 - 1, 7)
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(200))
    assert float(kernels.min()) >= -1e-8
    row = make_motion(torch.tensor([8.0]), torch.zeros(1), torch.ones(1), 5)[0, 5]
    assert row[1:9].tolist() == sorted(row[1:9].tolist())
    assert float(row[8]) > 4 * float(row[2])


def test_a_face_of_one_grey_shows_no_motion() -> None:
    grey = torch.rand(64, 1, 1, 1, generator=torch.Generator().manual_seed(5)).expand(64, 1, 44, 44)
    torch.testing.assert_close(run(grey, CameraConfig(motion=1, motion_px=(0, 24))), grey, atol=1e-5, rtol=0)


def test_motion_along_a_row_blurs_the_edges_that_it_crosses_and_no_others() -> None:
    across_rows = torch.zeros(1, 48, 48)
    across_rows[:, 24:] = 1
    line = make_motion(torch.tensor([9.0]), torch.zeros(1), torch.tensor([0.4]), 6)
    torch.testing.assert_close(smear(across_rows, line), across_rows)
    across_columns = smear(across_rows.mT, line)[0]
    torch.testing.assert_close(across_columns, across_columns[:1].expand(48, 48))
    between = (across_columns[0] > 0.01) & (across_columns[0] < 0.99)
    assert 8 <= int(between.sum()) <= 10
    turned = make_motion(torch.tensor([9.0]), torch.tensor([math.pi / 2]), torch.tensor([0.4]), 6)
    torch.testing.assert_close(smear(across_rows.mT, turned), across_rows.mT)


def test_each_face_moves_along_its_own_line_and_is_mirrored_at_its_edges(faces: torch.Tensor) -> None:
    draws = torch.rand(3, 64, generator=torch.Generator().manual_seed(6))
    kernels = make_motion(draws[0] * 12, draws[1] * math.pi, draws[2] * 2 - 1, 7)
    together = smear(faces[:, 0], kernels)
    for i in (0, 17, 63):
        torch.testing.assert_close(smear(faces[i], kernels[i : i + 1])[0], together[i])
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(faces[i, 0], 7, mode="reflect"), (15, 15))
        np.testing.assert_allclose(together[i], np.einsum("ijkl,kl->ij", windows, kernels[i]), atol=1e-5)


def test_a_share_of_a_moving_batch_is_what_the_whole_batch_makes_of_it(faces: torch.Tensor) -> None:
    config, rows = CameraConfig(motion=0.7), torch.tensor([3, 8, 20, 63])
    noise = Noise(torch.Generator().manual_seed(0), Share(rows, 64))
    torch.testing.assert_close(degrade(faces[rows], config, noise), run(faces, config)[rows])


def test_without_motion_nothing_is_drawn_for_it(faces: torch.Tensor) -> None:
    source = torch.Generator().manual_seed(7)
    out = degrade(faces, CameraConfig(motion=0, motion_px=(24, 24)), Noise(source))
    assert torch.equal(out, faces)
    assert torch.equal(source.get_state(), torch.Generator().manual_seed(7).get_state())


@pytest.mark.parametrize(
    "config",
    [
        CameraConfig(blur=0.5, blur_sigma=(1, 2)),
        CameraConfig(motion=0.5, motion_px=(4, 9)),
        CameraConfig(shrink=0.5, shrink_side=(12, 30)),
        CameraConfig(noise=0.5),
        CameraConfig(jpeg=0.5, jpeg_quality=(10, 40)),
    ],
    ids=["blur", "motion", "shrink", "noise", "jpeg"],
)
def test_a_share_of_the_faces_is_changed_and_the_others_are_not(faces: torch.Tensor, config: CameraConfig) -> None:
    before = faces.clone()
    out = run(faces, config)
    changed = (out - faces).abs().amax((1, 2, 3)) > 0.004
    same = (out == faces).flatten(1).all(1)
    assert torch.all(changed ^ same)
    assert 20 <= int(changed.sum()) <= 44
    assert torch.equal(faces, before)
    assert torch.equal(out, run(faces, config))
    assert not torch.equal(out, run(faces, config, seed=1))
    assert out.min() >= 0
    assert out.max() <= 1


def test_all_together_at_every_size(faces: torch.Tensor) -> None:
    config = CameraConfig(blur=0.5, motion=0.5, shrink=0.5, shrink_side=(12, 40), noise=0.5, jpeg=0.5)
    for size in (16, 20, 44, 48, 61):
        x = torch.nn.functional.interpolate(faces, size=size, mode="bilinear", align_corners=False)
        out = run(x, config)
        assert out.shape == x.shape
        assert bool(out.isfinite().all())
        assert float((out - x).abs().mean()) < 0.12


def test_noise_is_as_strong_as_it_says(faces: torch.Tensor) -> None:
    grey = torch.full_like(faces, 0.5)
    spread = run(grey, CameraConfig(noise=1, noise_std=(0.05, 0.05))).std()
    assert float(spread) == pytest.approx(0.05, abs=0.001)

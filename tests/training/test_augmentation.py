# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch

from fervid.training.expressions.augmentation import augment
from fervid.training.expressions.config import AugmentationConfig, CameraConfig
from fervid.training.noise import Noise

STILL = AugmentationConfig(
    scale=(1.0, 1.0), shift=0, rotation=0, brightness=0, contrast=0, gamma=0, erase=0, erase_side=(0.1, 0.4)
)
EVERYTHING = AugmentationConfig(
    wide=0.3, padding="reflection", exposure=0.3, glasses=0.2, mask=0.2, hand=0.2,
    camera=CameraConfig(blur=0.5, motion=0.5, shrink=0.5, noise=0.5, jpeg=0.5),
)  # fmt: skip
MEAN, STD = 120.0, 60.0


def run(images: torch.Tensor, config: AugmentationConfig, size: int = 48, seed: int = 0) -> torch.Tensor:
    return augment(images, size, config, mean=MEAN, std=STD, noise=Noise(torch.Generator().manual_seed(seed)))[0]


@pytest.fixture
def faces() -> torch.Tensor:
    return torch.randint(0, 256, (64, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_shape_dtype_and_range(faces: torch.Tensor) -> None:
    for size in (16, 44, 61):
        out = run(faces, AugmentationConfig(rotation=45, shift=0.3, brightness=0.5), size)
        assert out.shape == (64, 1, size, size)
        assert out.dtype == torch.float32
        levels = out * STD + MEAN
        assert levels.min() > -0.01
        assert levels.max() < 255.01


def test_one_seed_gives_one_batch(faces: torch.Tensor) -> None:
    config = AugmentationConfig()
    before = faces.clone()
    assert torch.equal(run(faces, config, 32, seed=5), run(faces, config, 32, seed=5))
    assert not torch.equal(run(faces, config, 32, seed=5), run(faces, config, 32, seed=6))
    assert torch.equal(faces, before)


def test_without_changes_a_face_stays_or_is_mirrored(faces: torch.Tensor) -> None:
    levels = (run(faces, STILL) * STD + MEAN)[:, 0]
    same = (levels - faces).abs().amax((1, 2)) < 0.01
    mirrored = (levels - faces.flip(2)).abs().amax((1, 2)) < 0.01
    assert torch.all(same ^ mirrored)
    noise = Noise(torch.Generator().manual_seed(0))
    assert torch.equal(augment(faces, 48, STILL, mean=MEAN, std=STD, noise=noise)[1], mirrored)
    assert 16 <= int(mirrored.sum()) <= 48


def test_erasing_paints_one_grey_rectangle(faces: torch.Tensor) -> None:
    from dataclasses import replace

    levels = (run(faces, replace(STILL, erase=1.0, erase_side=(0.25, 0.5))) * STD + MEAN)[:, 0]
    untouched = (run(faces, STILL) * STD + MEAN)[:, 0]
    for erased, plain in zip(levels, untouched, strict=True):
        rows, columns = torch.nonzero((erased - plain).abs() > 0.5, as_tuple=True)
        patch = erased[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert torch.allclose(patch, patch[0, 0])
        assert 10 <= min(patch.shape) <= max(patch.shape) <= 25


def test_zooming_out_and_in_moves_the_edges() -> None:
    from dataclasses import replace

    ring = torch.zeros(8, 48, 48, dtype=torch.uint8)
    ring[:, 12:36, 12:36] = 255
    for scale, share in ((0.5, 1.0), (1.0, 0.25), (1.5, 1 / 9)):
        levels = run(ring, replace(STILL, scale=(scale, scale))) * STD + MEAN
        assert float((levels > 127).float().mean()) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("config", "corner", "middle", "draws"),
    [
        pytest.param(
            AugmentationConfig(),
            [0.053625, 0.902305, -0.333430, -0.115715],
            [0.388120, -0.325551, -1.252132, 0.189360],
            [0.566577, 0.917665, 0.480225],
            id="the first models",
        ),
        pytest.param(
            AugmentationConfig(camera=CameraConfig(blur=0.5, shrink=0.5, noise=0.5)),
            [0.053625, 0.902305, -0.345307, -0.116153],
            [0.387061, -0.222231, -1.398335, 0.198693],
            [0.787528, 0.575869, 0.336428],
            id="poor cameras that stand still",
        ),
    ],
)
def test_batches_of_older_recipes_stay_what_they_were(
    faces: torch.Tensor, config: AugmentationConfig, corner: list[float], middle: list[float], draws: list[float]
) -> None:
    """Runs that began before a lever was added go on with the same draws; its defaults must leave them alone."""
    source = torch.Generator().manual_seed(2013)
    x, _ = augment(faces, 20, config, mean=MEAN, std=STD, noise=Noise(source))
    torch.testing.assert_close(x[:4, 0, 5, 9], torch.tensor(corner), atol=1e-4, rtol=0)
    torch.testing.assert_close(x[[5, 20, 40, 63], 0, 10, 10], torch.tensor(middle), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.rand(3, generator=source), torch.tensor(draws), atol=1e-6, rtol=0)


def test_everything_together_repeats_and_keeps_the_range(faces: torch.Tensor) -> None:
    for size in (16, 44, 61):
        out = run(faces, EVERYTHING, size)
        levels = out * STD + MEAN
        assert out.shape == (64, 1, size, size)
        assert out.is_contiguous(memory_format=torch.channels_last)
        assert -0.01 < float(levels.min()) < float(levels.max()) < 255.01
        assert torch.equal(out, run(faces, EVERYTHING, size))


def test_a_wide_cut_shows_less_than_a_plain_one(faces: torch.Tensor) -> None:
    from dataclasses import replace

    ring = torch.zeros(200, 48, 48, dtype=torch.uint8)
    ring[:, 12:36, 12:36] = 255
    levels = run(ring, replace(STILL, wide=0.5, wide_scale=(1.5, 1.5))) * STD + MEAN
    shares = (levels > 127).float().mean((1, 2, 3))
    assert torch.all(((shares - 0.25).abs() < 0.02) ^ ((shares - 1 / 9).abs() < 0.02))
    assert 60 <= int((shares < 0.2).sum()) <= 140


def test_bad_light_darkens_or_brightens_a_share(faces: torch.Tensor) -> None:
    from dataclasses import replace

    grey = torch.full((400, 48, 48), 128, dtype=torch.uint8)
    levels = (run(grey, replace(STILL, exposure=0.5, exposure_gamma=(2, 2))) * STD + MEAN).mean((1, 2, 3)) / 255
    counts = [int(((levels - value).abs() < 0.01).sum()) for value in (0.502**2, 0.502, 0.502**0.5)]
    assert sum(counts) == 400
    for count, expected in zip(counts, (100, 200, 100), strict=True):
        assert count == pytest.approx(expected, abs=50)


def test_padding_says_what_lies_beyond_the_edge() -> None:
    from dataclasses import replace

    ramp = torch.linspace(50, 200, 48).expand(4, 48, 48).byte()
    corner = {
        padding: float((run(ramp, replace(STILL, scale=(2.0, 2.0), padding=padding)) * STD + MEAN)[:, 0, 24, 0].min())
        for padding in ("border", "reflection", "zeros")
    }
    assert corner["zeros"] == pytest.approx(0, abs=0.5)
    assert corner["border"] == pytest.approx(50, abs=1)
    assert 110 < corner["reflection"] < 140


def test_no_value_is_read_back_within_a_step(faces: torch.Tensor) -> None:
    """On a GPU each such read would wait for the device; a fake tensor has no values to read."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    run(faces, EVERYTHING, 44)  # tables are made once, before
    noise = Noise(torch.Generator().manual_seed(0))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(faces)
        out, mirrored = augment(fake, 44, EVERYTHING, mean=MEAN, std=STD, noise=noise)
        assert out.shape == (64, 1, 44, 44)
        with pytest.raises(Exception, match="local_scalar_dense"):
            bool(mirrored.any())


@pytest.mark.parametrize("size", [40, 41, 44])
def test_a_random_crop_keeps_every_grey_level(faces: torch.Tensor, size: int) -> None:
    """Training views that are as sharp as what is read later: moved by whole pixels, at the scale they have."""
    from dataclasses import replace

    turned = replace(STILL, rotation=20.0, scale=(0.7, 0.8), shift=1 / 48)
    levels = (run(faces, replace(turned, random_crop=1.0), size) * STD + MEAN)[:, 0]
    for face, view in zip(faces.float(), levels, strict=True):
        windows = torch.stack([face, face.flip(1)]).unfold(1, size, 1).unfold(2, size, 1)
        assert bool(((windows - view).abs().amax((3, 4)) < 0.01).any())
    some = (run(faces, replace(turned, random_crop=0.5), size) * STD + MEAN)[:, 0]
    whole = ((some - some.round()).abs().amax((1, 2)) < 0.01).float().mean()
    assert 0.25 < float(whole) < 0.75


def test_bicubic_views_are_sharper_than_bilinear_ones(faces: torch.Tensor) -> None:
    from dataclasses import replace

    moved = replace(STILL, shift=0.1)
    spread = {
        resampling: float(run(faces, replace(moved, resampling=resampling)).std())
        for resampling in ("bilinear", "bicubic")
    }
    assert spread["bicubic"] > 1.1 * spread["bilinear"]

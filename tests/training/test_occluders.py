# ruff: noqa: E402, TID253  (torch is looked for before what needs it)
from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'fervid[train]'")
pytestmark = pytest.mark.training

import torch
from torch.nn import functional as F

from fervid.training.expressions.config import AugmentationConfig
from fervid.training.expressions.occluders import EYES, occlude
from fervid.training.noise import Noise

SIZE = 48
EYE_ROW, EYE_COLUMN = (round((c + 1) / 2 * SIZE) for c in (EYES[1], EYES[0]))
MOUTH_ROW = round(0.8 * SIZE)


def cover(config: AugmentationConfig, n: int = 256, degrees: float = 0.0) -> torch.Tensor:
    """Where the faces changed, ``(n, SIZE, SIZE)`` bool; they are a ramp, so that no paint equals them everywhere."""
    ramp = torch.linspace(0.3, 0.7, SIZE).expand(n, 1, SIZE, SIZE).contiguous()
    turn = torch.deg2rad(torch.tensor(degrees))
    theta = torch.tensor([[turn.cos(), -turn.sin(), 0], [turn.sin(), turn.cos(), 0]]).expand(n, 2, 3)
    places = F.affine_grid(theta, [n, 1, SIZE, SIZE], align_corners=False)
    out = occlude(ramp, places, config, Noise(torch.Generator().manual_seed(4)))
    assert out.shape == ramp.shape
    assert out.min() >= 0
    assert out.max() <= 1
    return ((out - ramp).abs() > 0.01)[:, 0]


def test_glasses_lie_on_the_eyes() -> None:
    changed = cover(AugmentationConfig(glasses=1)).float()
    assert float(changed[:, EYE_ROW, EYE_COLUMN].mean()) > 0.6, "some are clear"
    assert float((changed - changed.flip(2)).abs().mean()) < 0.05
    assert float(changed[:, MOUTH_ROW:].mean()) < 0.01
    assert 0.05 < float(changed.mean()) < 0.3


def test_a_mask_covers_the_mouth_and_no_eye() -> None:
    changed = cover(AugmentationConfig(mask=1)).float()
    assert float(changed[:, MOUTH_ROW, SIZE // 2].mean()) > 0.95
    assert float(changed[:, : EYE_ROW + 2].mean()) < 0.01


def test_hands_cover_every_place_now_and_then_and_none_always() -> None:
    often = cover(AugmentationConfig(hand=1)).float().mean(0)
    assert 0.005 < float(often[4:, 4:-4].min()) < float(often.max()) < 0.8


def test_no_face_has_two_and_some_have_none() -> None:
    config = AugmentationConfig(glasses=0.3, mask=0.3)
    changed = cover(config)
    eyes, mouth = changed[:, EYE_ROW].any(1), changed[:, MOUTH_ROW].any(1)
    assert not bool((eyes & mouth).any())
    for share in (eyes, mouth, ~(eyes | mouth)):
        assert 0.2 < float(share.float().mean()) < 0.5


def test_glasses_turn_with_the_face() -> None:
    changed = cover(AugmentationConfig(glasses=1), degrees=90).float().mean(0)
    down, across = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    centre_x, centre_y = (float((changed * place).sum() / changed.sum()) for place in (across, down))
    assert abs(centre_x) > 0.2
    assert abs(centre_y) < 0.05

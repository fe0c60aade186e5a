"""The corruptions: each does what it says, to every face its own, and the same in any company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fervid.errors import UsageError
from fervid.evaluation.corruptions import CORRUPTIONS, DEFOCUS_RADIUS, MOTION_LENGTH, STRENGTHS, corrupt
from fervid.evaluation.occlusion import MASK_TOP
from fervid.geometry import Box
from fervid.imaging import crop_resize, load_image

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
each = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=list(BY_NAME))


@pytest.fixture(scope="module")
def faces(astronaut, portrait):
    """24 crops of two faces: 2 people × 12 framings."""
    boxes = {astronaut: (160, 60, 290), portrait: (160, 50, 370)}
    crops = [
        crop_resize(load_image(path), Box(x1 + 3 * i, y1 + 2 * i, x2 + 2 * i, y1 + 2 * i + x2 - x1 - i), 48)
        for path, (x1, y1, x2) in boxes.items()
        for i in range(12)
    ]
    return np.round(crops).astype(np.uint8)


def paint_point():
    """One white pixel in the middle of black."""
    face = np.zeros((1, 48, 48), dtype=np.uint8)
    face[0, 24, 24] = 255
    return face


def test_eight_in_three_strengths():
    assert len(BY_NAME) == len(CORRUPTIONS) == 8
    assert STRENGTHS == (1, 2, 3)


@each
def test_faces_come_back_as_faces_and_the_originals_stay(corruption, faces):
    faces.flags.writeable = False
    before = faces.copy()
    for strength in STRENGTHS:
        spoilt = corrupt(faces, corruption, strength)
        assert (spoilt.shape, spoilt.dtype) == (faces.shape, np.uint8)
        changed = (spoilt != faces).any(axis=(1, 2))
        assert changed.all()
    assert (faces == before).all()


@each
def test_a_face_does_not_notice_its_neighbours(corruption, faces):
    whole = corrupt(faces, corruption, 2)
    assert (corrupt(faces, corruption, 2) == whole).all()
    assert (corrupt(faces[::-1], corruption, 2)[::-1] == whole).all()
    assert (corrupt(faces[7:8], corruption, 2) == whole[7:8]).all()
    assert corrupt(faces[:0], corruption, 2).shape == (0, 48, 48)


@each
def test_a_higher_strength_takes_the_face_further_away(corruption, faces):
    distances = [np.abs(corrupt(faces, corruption, s).astype(float) - faces).mean() for s in STRENGTHS]
    assert distances[0] > 0.5
    assert distances[1] > 1.15 * distances[0]
    assert distances[2] > 1.15 * distances[1]


@each
def test_another_seed_makes_other_choices_where_there_are_any(corruption, faces):
    same = (corrupt(faces, corruption, 3, seed=1) == corrupt(faces, corruption, 3, seed=2)).all()
    assert same == (corruption.name in {"defocus", "low resolution"})


@settings(max_examples=20, deadline=None)
@given(level=st.integers(0, 255), strength=st.sampled_from(STRENGTHS), seed=st.integers(0, 2**32))
def test_blank_faces_stay_faces(level, strength, seed):
    blank = np.full((1, 48, 48), level, dtype=np.uint8)
    for corruption in CORRUPTIONS:
        spoilt = corrupt(blank, corruption, strength, seed=seed)
        assert spoilt.shape == blank.shape
        if corruption.name in {"defocus", "motion blur", "low resolution", "misframing"}:
            assert (spoilt == blank).all()


@pytest.mark.parametrize("strength", [0, 4, 1.5])
def test_there_are_no_other_strengths(strength, faces):
    with pytest.raises(UsageError, match="no strength"):
        corrupt(faces, CORRUPTIONS[0], strength)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 48, 48)), np.zeros((48, 48), np.uint8), np.zeros((1, 64, 64), np.uint8)]
)
def test_only_faces_of_48_px_can_be_spoilt(images):
    with pytest.raises(UsageError, match="cannot spoil"):
        corrupt(images, CORRUPTIONS[0], 1)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_defocus_makes_a_disc_of_a_point(strength):
    spot = corrupt(paint_point(), BY_NAME["defocus"], strength)[0]
    y, x = np.nonzero(spot)
    distance = np.hypot(x - 24, y - 24)
    assert distance.max() <= DEFOCUS_RADIUS[strength - 1] + 0.5
    assert distance.max() >= DEFOCUS_RADIUS[strength - 1] - 0.5
    assert (spot == spot.T).all()
    assert float(spot.sum()) == pytest.approx(255, rel=0.06)  # light is spread, not lost


@pytest.mark.parametrize("strength", STRENGTHS)
def test_motion_makes_a_line_of_a_point(strength):
    angles = set()
    for seed in range(12):
        streak = corrupt(paint_point(), BY_NAME["motion blur"], strength, seed=seed)[0].astype(float)
        y, x = np.mgrid[0:48, 0:48] - 24
        spread = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=streak.ravel(), ddof=0)
        (thin, long), vectors = np.linalg.eigh(spread)
        assert np.sqrt(12 * long) == pytest.approx(MOTION_LENGTH[strength - 1], rel=0.3)  # deviation of a uniform line
        assert thin < 0.3
        angles.add(round(np.arctan2(vectors[1, 1], vectors[0, 1]) % np.pi, 1))
    assert len(angles) > 6


def test_noise_grows_with_light_and_strength():
    deviations = []
    for strength in STRENGTHS:
        dark, light = (
            corrupt(np.full((1, 48, 48), level, np.uint8), BY_NAME["noise"], strength).astype(float) - level
            for level in (25, 125)
        )
        assert abs(light.mean()) < 2  # nothing is clipped at mid-grey: no bias
        assert light.std() > dark.std()
        deviations.append(light.std())
    assert deviations == pytest.approx([10.8, 20.8, 35.0], rel=0.1)


def test_compression_lays_its_blocks_anywhere(faces):
    spoilt = corrupt(faces, BY_NAME["compression"], 3).astype(float)
    steps = np.abs(np.diff(spoilt, axis=2)).mean(axis=1)  # (24, 47): how much each column differs from the one before
    phases = {int(np.argmax([steps[i, phase::8].mean() for phase in range(8)])) for i in range(len(faces))}
    assert len(phases) >= 4


def test_low_resolution_leaves_no_fine_detail(rng):
    noise = rng.integers(0, 256, (4, 48, 48), dtype=np.uint8)
    spoilt = corrupt(noise, BY_NAME["low resolution"], 3).astype(float)
    energy = np.abs(np.fft.fft2(spoilt - spoilt.mean(axis=(1, 2), keepdims=True))) ** 2
    frequency = np.abs(np.fft.fftfreq(48, 1 / 48))
    fine = np.maximum(frequency[:, None], frequency) > 14  # periods in 48 px; 14 px carry at most 7
    assert energy[:, fine].sum() < 0.02 * energy.sum()


def test_exposure_darkens_half_and_brightens_half(faces):
    many = np.concatenate([corrupt(faces, BY_NAME["exposure"], 2, seed=seed) for seed in range(10)])
    brighter = many.mean(axis=(1, 2)) > np.tile(faces.mean(axis=(1, 2)), 10)
    assert 0.35 < brighter.mean() < 0.65
    middle = many[:, 12:36, 12:36]
    assert np.median(middle[~brighter], axis=(1, 2)) == pytest.approx(46, abs=12)
    assert (middle[brighter] >= 254).mean() == pytest.approx(0.45, abs=0.08)


def test_occlusion_covers_eyes_mouth_or_cheek_and_leaves_the_rest(faces):
    grey = np.repeat((faces // 2 + 64), 4, axis=0)
    grey += np.arange(len(grey), dtype=np.uint8)[:, None, None] % 3  # different faces, different choices
    kinds = {"glasses": 0, "mask": 0, "hand": 0}
    for strength in STRENGTHS:
        changed = np.abs(corrupt(grey, BY_NAME["occlusion"], strength).astype(int) - grey) > 2
        for picture in changed:
            eyes, chin, top = picture[14:22].any(), picture[46:, 20:28].all(), picture[:8].any()
            assert not top
            if chin and picture[46:, 10:38].all():
                kinds["mask"] += 1
                assert not picture[: int(MASK_TOP[strength - 1]) - 8, 8:40].any()
            elif eyes and not picture[34:].any():
                kinds["glasses"] += 1
            else:
                kinds["hand"] += 1
                assert picture[:, :12].any() != picture[:, 36:].any() or strength == 3  # from one side
    total = sum(kinds.values())
    assert all(0.2 * total < count < 0.47 * total for count in kinds.values()), kinds


def test_misframing_moves_the_middle_of_the_face():
    y, x = np.mgrid[0:48, 0:48]
    spots = [np.exp(-((x - 23.5 - dx) ** 2 + (y - 23.5) ** 2) / 18) for dx in (-2, 0, 2)]
    faces = np.round(255 * np.array(spots)).astype(np.uint8)
    for strength, limit in zip(STRENGTHS, (0.04, 0.08, 0.12), strict=True):
        spoilt = np.concatenate([corrupt(faces[1:2], BY_NAME["misframing"], strength, seed=s) for s in range(20)])
        weight = spoilt.sum(axis=(1, 2))
        shift_x = (spoilt * (x - 23.5)).sum(axis=(1, 2)) / weight
        shift_y = (spoilt * (y - 23.5)).sum(axis=(1, 2)) / weight
        for shift in (shift_x, shift_y):
            assert 0.35 * limit * 48 < np.abs(shift).min()
            assert np.abs(shift).max() < 1.3 * limit * 48  # the zoom stretches the shift
            assert 3 < (shift > 0).sum() < 17

"""The drawn set has the flaws that it says it has, and no others."""

import numpy as np
import pytest

from fervid.datasets.audit import audit_faces
from fervid.datasets.faceset import SPLITS
from fervid.emotions import EMOTIONS
from fervid.errors import UsageError
from fervid.practice import FEWEST, FLAWED, SHARES, draw_practice_faces


@pytest.fixture(scope="module")
def faces():
    return draw_practice_faces(500, seed=3)


def test_the_splits_are_four_fifths_and_two_tenths(faces):
    assert faces.images.shape == (500, 48, 48)
    assert np.bincount(faces.splits).tolist() == [400, 50, 50]
    assert all(len(faces.split(name)) for name in SPLITS)


def test_the_audit_finds_what_was_planted(faces):
    audit = audit_faces(faces)
    copies = round(FLAWED * 400 / 2)
    assert audit.duplicates_within["Training"].surplus == copies
    assert sum(leak.exact for leak in audit.leaks) == copies
    assert audit.blanks == dict.fromkeys(SPLITS, 1)
    assert audit.imbalance > 3


def test_labels_are_noisy_and_people_mostly_agree_with_them(faces):
    (training, *_) = audit_faces(faces).agreements
    assert 0.6 < training.share < 0.9
    assert (faces.votes.sum(axis=1) == 10).all()


def test_the_commonest_expression_is_the_commonest_label(faces):
    assert max(SHARES, key=SHARES.get) is EMOTIONS[np.bincount(faces.emotions).argmax()]
    assert sum(SHARES.values()) == pytest.approx(1)


def test_faces_repeat_with_their_seed_and_differ_without():
    one, same, other = (draw_practice_faces(FEWEST, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.images, same.images)
    assert np.array_equal(one.votes, same.votes)
    assert not np.array_equal(one.images, other.images)


def test_too_few_are_refused():
    with pytest.raises(UsageError, match=f"{FEWEST - 1} practice faces are too few"):
        draw_practice_faces(FEWEST - 1)

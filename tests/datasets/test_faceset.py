import numpy as np
import pytest

from fervid.datasets.faceset import FaceRow, FaceSet
from fervid.errors import DatasetError


def make_set(votes):
    n = len(votes)
    return FaceSet(np.zeros((n, 48, 48), np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64), np.array(votes))


def test_rows_gather_into_a_set(faces, rows, same):
    same(FaceSet.from_rows(rows), faces, votes=True)
    assert FaceSet.from_rows([*rows, FaceRow(rows[0].image, 0, 0)]).votes is None
    assert FaceSet.from_rows([]).images.shape == (0, 48, 48)


def test_a_split_is_its_rows(faces):
    assert len(faces.split("PublicTest")) == 7
    with pytest.raises(DatasetError, match="unknown split 'test'"):
        faces.split("test")
    with pytest.raises(DatasetError, match="no PublicTest rows"):
        faces[:14].split("PublicTest")


#            neutral happy surprise sad angry disgust fear contempt unknown NF
@pytest.mark.parametrize(
    ("votes", "majority", "usable"),
    [
        ([0, 10, 0, 0, 0, 0, 0, 0, 0, 0], 3, True),
        ([4, 0, 0, 0, 3, 3, 0, 0, 0, 0], 6, True),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], -1, True),
        ([2, 0, 0, 0, 0, 0, 0, 8, 0, 0], -1, True),
        ([2, 0, 0, 0, 0, 0, 0, 0, 8, 0], -1, False),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], -1, False),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], -1, False),
    ],
)
def test_majority_and_distribution_of_votes(votes, majority, usable):
    faces = make_set([votes])
    assert faces.vote_majority().tolist() == [majority]
    distribution, known = faces.vote_distribution()
    assert known.tolist() == [usable]
    assert distribution.sum() == pytest.approx(1)
    if not usable:
        assert np.all(distribution == 0.125)


def test_without_votes_nobody_knows(faces):
    bare = FaceSet(faces.images, faces.emotions, faces.splits)
    assert np.all(bare.vote_majority() == -1)
    assert not bare.vote_distribution()[1].any()

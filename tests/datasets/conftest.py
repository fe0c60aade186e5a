"""Generated faces, and the files that they come in."""

import numpy as np
import pytest

from fervid.datasets.faceset import SPLITS, VOTE_COLUMNS, VOTERS, FaceRow, FaceSet

COUNTS = (14, 7, 7)


@pytest.fixture(scope="session")
def faces():
    """28 faces of noise, each emotion in each split, with ten votes each, in the order of the splits."""
    rng = np.random.default_rng(48)
    n = sum(COUNTS)
    return FaceSet(
        images=rng.integers(0, 256, (n, 48, 48), dtype=np.uint8),
        emotions=np.arange(n) % 7,
        splits=np.repeat(np.arange(3), COUNTS),
        votes=rng.multinomial(VOTERS, np.full(len(VOTE_COLUMNS), 0.1), n).astype(np.int64),
    )


@pytest.fixture
def rows(faces):
    """The faces as rows, with votes."""
    return [
        FaceRow(image, int(emotion), int(split), tuple(int(v) for v in votes), f"row {i}")
        for i, (image, emotion, split, votes) in enumerate(
            zip(faces.images, faces.emotions, faces.splits, faces.votes, strict=True)
        )
    ]


@pytest.fixture
def lines(faces):
    """The faces as lines of fer2013.csv, header first."""
    body = [
        f"{emotion},{' '.join(map(str, image.ravel()))},{SPLITS[split]}"
        for image, emotion, split in zip(faces.images, faces.emotions, faces.splits, strict=True)
    ]
    return ["emotion,pixels,Usage", *body]


@pytest.fixture
def vote_lines(faces):
    """The votes as lines of fer2013new.csv, header first; FER+ dropped the third face."""
    body = [
        ",".join([SPLITS[split], "" if i == 2 else f"fer{i:07d}.png", *map(str, votes)])
        for i, (split, votes) in enumerate(zip(faces.splits, faces.votes, strict=True))
    ]
    return [",".join(["Usage", "Image name", *VOTE_COLUMNS.values()]), *body]


@pytest.fixture
def write_lines(tmp_path):
    """A function that writes lines to a file of a name and gives its path."""

    def write(name, lines, ending="\n"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("".join(line + ending for line in lines).encode())
        return path

    return write


@pytest.fixture
def same():
    """A function that compares two face sets, with or without their votes."""

    def compare(one, other, *, votes=False):
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.emotions, other.emotions)
        assert np.array_equal(one.splits, other.splits)
        if votes:
            assert np.array_equal(one.votes, other.votes)

    return compare

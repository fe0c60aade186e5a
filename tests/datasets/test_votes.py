import numpy as np
import pytest

from fervid.datasets.faceset import FaceRow, FaceSet
from fervid.datasets.votes import join_votes
from fervid.errors import DatasetError


@pytest.fixture
def bare(rows):
    """The rows without votes."""
    return [FaceRow(row.image, row.emotion, row.split, None, row.where) for row in rows]


def test_gives_each_face_its_votes(faces, bare, vote_lines, write_lines, same):
    joined = FaceSet.from_rows(list(join_votes(iter(bare), write_lines("fer2013new.csv", vote_lines))))
    same(joined, faces, votes=True)


def test_columns_are_found_by_name(faces, bare, vote_lines, write_lines):
    backwards = [",".join(reversed(line.split(","))) for line in vote_lines]
    joined = FaceSet.from_rows(list(join_votes(iter(bare), write_lines("fer2013new.csv", backwards))))
    assert np.array_equal(joined.votes, faces.votes)


def test_a_bad_face_takes_its_votes_with_it(faces, bare, vote_lines, write_lines):
    bare[4] = DatasetError("bad")
    joined = list(join_votes(iter(bare), write_lines("fer2013new.csv", vote_lines)))
    assert joined[4] is bare[4]
    assert joined[5].votes == tuple(faces.votes[5])


@pytest.mark.parametrize("count", ["x", "-1", "", "1.5", "128", "٣"])
def test_a_bad_count_makes_its_row_bad(bare, vote_lines, write_lines, count):
    vote_lines[5] = vote_lines[5].rsplit(",", 1)[0] + f",{count}"
    path = write_lines("fer2013new.csv", vote_lines)
    joined = list(join_votes(iter(bare), path))
    assert [i for i, row in enumerate(joined) if isinstance(row, DatasetError)] == [4]
    assert str(joined[4]).startswith(f"{path}, line 6: {count!r} is no number of votes")


def test_names_the_line_where_the_votes_end(bare, vote_lines, write_lines):
    with pytest.raises(DatasetError, match="ends at line 28, but the faces go on"):
        list(join_votes(iter(bare), write_lines("fer2013new.csv", vote_lines[:-1])))


def test_names_the_line_for_which_there_is_no_face(bare, vote_lines, write_lines):
    with pytest.raises(DatasetError, match="line 28: there is no face"):
        list(join_votes(iter(bare[:-2]), write_lines("fer2013new.csv", vote_lines)))


def test_names_the_line_of_another_split(bare, vote_lines, write_lines):
    vote_lines[8] = vote_lines[8].replace("Training", "PublicTest")
    with pytest.raises(DatasetError, match="line 9: Usage is 'PublicTest', but row 7 is Training"):
        list(join_votes(iter(bare), write_lines("fer2013new.csv", vote_lines)))


def test_refuses_another_file(bare, lines, write_lines):
    with pytest.raises(DatasetError, match=r"lacks the columns neutral, .*, NF. Give FER\+'s fer2013new.csv"):
        list(join_votes(iter(bare), write_lines("fer2013.csv", lines)))

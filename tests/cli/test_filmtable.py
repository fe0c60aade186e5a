"""The table of a film's people."""

import io

import pytest

from fervid.cli.filmtable import print_summary
from fervid.tracking.summary import Summary


@pytest.mark.parametrize(
    ("untracked", "people"),
    [
        (0, "nobody"),
        (1, "nobody for long enough (1 face without a number)"),
        (1200, "nobody for long enough (1,200 faces without a number)"),
    ],
)
def test_faces_that_got_no_number_are_told_where_there_are_no_others(untracked: int, people: str) -> None:
    from rich.console import Console

    summary = Summary((), 0.0, 12.0, 30, untracked, "talk.mp4", "m")
    text = io.StringIO()
    print_summary(Console(file=text, width=160), summary, "haar")
    assert text.getvalue() == f"talk.mp4  12.0 s, 30 frames, {people}  m, haar\n"

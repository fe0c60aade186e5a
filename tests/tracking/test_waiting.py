from collections.abc import Iterator

from fervid.geometry import square_box
from fervid.tracking.tracker import Track, Tracker
from fervid.tracking.waiting import hold_undecided


def stream(frames: list[list[float]], log: list[int]) -> Iterator[tuple[int, list[Track | None]]]:
    tracker = Tracker((1280, 720))
    for index, xs in enumerate(frames):
        log.append(index)
        yield index, tracker.update([square_box(x, 300, 100) for x in xs], [0.9] * len(xs), index / 20)


def test_everybody_has_an_id_from_the_first_frame_on() -> None:
    frames = [[300.0]] * 10 + [[300.0, 700.0]] * 10
    passed = list(hold_undecided(stream(frames, [])))
    assert [index for index, _ in passed] == list(range(20))
    assert [[t.id for t in tracks if t is not None] for _, tracks in passed] == [[1]] * 10 + [[1, 2]] * 10


def test_frames_wait_no_longer_than_they_must() -> None:
    log: list[int] = []
    lags = []
    for index, tracks in hold_undecided(stream([[300.0]] * 10 + [[300.0, 700.0]] + [[300.0]] * 10, log)):
        lags.append(log[-1] - index)
        assert [None if t is None else t.id for t in tracks] == ([1, None] if index == 10 else [1])
    assert lags[5:10] == [0] * 5
    assert max(lags) <= 4
    assert lags[-1] == 0


def test_what_waits_at_the_end_is_passed_on() -> None:
    passed = list(hold_undecided(stream([[300.0], [300.0, 700.0]], [])))
    assert [index for index, _ in passed] == [0, 1]

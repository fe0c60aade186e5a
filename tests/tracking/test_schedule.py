from types import ModuleType

import numpy as np
import pytest

from fervid.errors import UsageError
from fervid.geometry import square_box
from fervid.tracking.schedule import Schedule
from fervid.tracking.tracker import Tracker


def run(places: list[list[float]], fps: float = 30.0, longest_s: float = 0.25) -> list[int]:
    """Frames on which the detector ran, of faces at these x."""
    tracker, schedule, asked = Tracker((1280, 720)), Schedule(longest_s), []
    for index, xs in enumerate(places):
        if schedule.is_due(index / fps):
            asked.append(index)
            tracker.update([square_box(x, 300, 100) for x in xs], [0.9] * len(xs), index / fps)
            schedule.adapt(tracker)
    return asked


def test_the_stride_grows_while_nothing_happens_up_to_its_limit_in_seconds() -> None:
    gaps = np.diff(run([[300.0, 700.0]] * 120))
    assert gaps[:3].tolist() == [1, 1, 1]  # until everybody has an id
    assert (np.diff(gaps) >= 0).all()
    assert gaps[-1] == 7  # 0.23 s; with 8 frames it would be 0.27 s
    assert np.diff(run([[300.0]] * 60, longest_s=0.1)).max() == 3


def test_an_empty_scene_is_looked_at_seldom_but_a_newcomer_is_found_in_time() -> None:
    asked = run([[]] * 60 + [[300.0]] * 30)
    assert len([i for i in asked if i < 60]) < 15
    first = min(i for i in asked if i >= 60)
    assert first - 60 < 8
    assert asked[asked.index(first) + 1] == first + 2


def test_a_loss_and_a_jump_bring_it_back_to_every_frame() -> None:
    for places in ([[300.0]] * 60 + [[]] * 30, [[300.0]] * 60 + [[340.0]] * 30):
        asked = run(places)
        noticed = min(i for i in asked if i >= 60)
        assert asked[asked.index(noticed) + 1] == noticed + 1


@pytest.mark.parametrize("flicker", [[300.0, 700.0], []], ids=["nobody came", "nobody went"])
def test_a_flicker_of_the_detector_leaves_the_pace_as_it_was(flicker: list[float]) -> None:
    """The same frames but for a single one, on which somebody seems to come, or to be gone."""
    calm = run([[300.0]] * 90)
    when = next(i for i in calm if i >= 60)
    asked = run([[300.0]] * when + [flicker] + [[300.0]] * (89 - when))
    assert len(asked) - len(calm) <= 4
    assert asked[-1] - asked[-2] == calm[-1] - calm[-2] == 7


def test_where_faces_hardly_move_the_stride_doubles() -> None:
    restless = [300 + 20 * (-1) ** i for i in range(120)]  # a tenth of the face's size from where it was expected
    still, moved = run([[300.0]] * 120, longest_s=1.0), run([[x] for x in restless], longest_s=1.0)
    assert np.diff(still)[3:7].tolist() == [2, 4, 8, 16]
    assert len(moved) > 2 * len(still)


def test_who_stays_away_is_looked_for_less_and_less() -> None:
    asked = run([[300.0, 700.0]] * 60 + [[300.0]] * 60)
    noticed = min(i for i in asked if i >= 60)
    assert np.diff([i for i in asked if i >= noticed])[:5].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("fps", "longest_s"), [(5, 0.2), (5, 0.25), (1, 0.25), (30, 0.0)])
def test_where_frames_are_rare_every_one_is_looked_at(fps: float, longest_s: float) -> None:
    assert run([[300.0]] * 20, fps, longest_s) == list(range(20))


def test_a_new_scene_begins_at_once() -> None:
    schedule = Schedule()
    tracker = Tracker()
    for index in range(20):
        if schedule.is_due(index / 30):
            tracker.update([], [], index / 30)
            schedule.adapt(tracker)
    schedule.reset()
    assert schedule.is_due(20 / 30)
    assert schedule.stride == 1


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(UsageError, match="longest_s"):
        Schedule(-1)


def test_in_made_scenes_it_halves_the_work_and_loses_nobody(scenes: ModuleType, tracking: ModuleType) -> None:
    for name in ("interview", "dancing"):
        rng = np.random.default_rng(0)
        paths = tracking.SCENES[name](rng)
        shots = scenes.film(paths, 30.0, 8.0, scenes.Detector(misses=0.03), rng)
        sparse = tracking.track_sparsely(shots, paths, Schedule())
        assert sparse.asked < 0.5
        assert sparse.fit.switches == 0
        assert np.mean(sparse.overlaps) > 0.75

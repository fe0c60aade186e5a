import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import UsageError
from fervid.results import Box, Distribution, Face
from fervid.tracking.smoothing import SMOOTH_S, Smoother

THRESHOLD = 0.39
VOTES = Distribution(VOTE_LABELS, [1 / 8] * 8)


def spread(**shares: float) -> NDArray[np.float64]:
    """These shares, and the rest evenly over the others."""
    values = np.full(7, np.nan)
    for name, share in shares.items():
        values[EMOTIONS.index(Emotion(name))] = share
    values[np.isnan(values)] = (1 - sum(shares.values())) / (7 - len(shares))
    return values


HAPPY, SAD, TORN = spread(happy=0.7), spread(sad=0.7), spread(happy=0.36, sad=0.35)


def make_face(values: NDArray[np.float64], track_id: int | None = 1) -> Face:
    probabilities = Distribution(EMOTIONS, values)
    top = probabilities[probabilities.top]
    return Face(
        Box(0, 0, 9, 9), 1.0, Emotion(probabilities.top) if top >= THRESHOLD else None, top, probabilities, VOTES,
        track_id=track_id,
    )  # fmt: skip


def run(answers: list[NDArray[np.float64]], fps: float, smoother: Smoother | None = None) -> list[Face]:
    smoother = smoother or Smoother(THRESHOLD)
    return [smoother.smooth([make_face(a)], i / fps)[0] for i, a in enumerate(answers)]


def count_flips(faces: list[Face]) -> int:
    return sum(a.emotion != b.emotion for a, b in pairwise(faces))


def test_smoothing_off_changes_nothing() -> None:
    face = make_face(HAPPY)
    assert Smoother(THRESHOLD, 0).smooth([face], 0.0) == (face,)


def test_raw_values_stay_and_the_label_comes_from_the_smoothed_ones() -> None:
    face = run([HAPPY] * 30 + [SAD], 30)[-1]
    assert face.probabilities == Distribution(EMOTIONS, SAD)
    assert face.votes == VOTES
    assert face.smoothed is not None
    assert face.emotion is Emotion.HAPPY
    assert face.confidence == face.smoothed["happy"] == face.basis["happy"]
    assert 0.5 < face.confidence < 0.7


def test_a_face_without_a_track_is_left_alone() -> None:
    face = make_face(HAPPY, track_id=None)
    assert Smoother(THRESHOLD).smooth([face], 0.0) == (face,)


def test_people_do_not_mix() -> None:
    smoother = Smoother(THRESHOLD)
    for i in range(30):
        a, b = smoother.smooth([make_face(HAPPY, 1), make_face(SAD, 2)], i / 30)
    assert (a.emotion, b.emotion) == (Emotion.HAPPY, Emotion.SAD)
    assert a.basis.array == pytest.approx(HAPPY)


def test_the_mean_forgets_with_its_memory_whatever_the_frame_rate() -> None:
    weak, strong = spread(happy=0.5), spread(happy=0.7)  # too near for a fresh start
    for fps in (4, 30, 240):
        faces = run([weak] * round(5 * fps) + [strong] * round(SMOOTH_S * fps), fps)
        assert faces[-1].basis["happy"] == pytest.approx(0.7 - 0.2 * math.exp(-1), abs=0.001)


def test_a_burst_of_frames_counts_as_long_as_it_lasts() -> None:
    smoother = Smoother(THRESHOLD)
    weak, strong = make_face(spread(happy=0.5)), make_face(spread(happy=0.7))
    for i in range(20):
        smoother.smooth([weak], i / 5)
    for i in range(1, 101):  # a hundred frames in a millisecond
        [face] = smoother.smooth([strong], 3.8 + i * 1e-5)
    assert face.basis["happy"] == pytest.approx(0.5, abs=0.001)


def test_the_first_frames_are_a_plain_mean() -> None:
    faces = run([spread(happy=0.5), spread(happy=0.6)], 1000)
    assert faces[1].basis["happy"] == pytest.approx(0.55, abs=0.001)


def test_after_a_gap_the_past_is_forgotten() -> None:
    smoother = Smoother(THRESHOLD)
    for i in range(10):
        smoother.smooth([make_face(HAPPY)], i / 10)
    [face] = smoother.smooth([make_face(SAD)], 11.0)
    assert face.emotion is Emotion.SAD
    assert face.basis["sad"] == pytest.approx(0.7, abs=0.001)


def test_a_clear_change_is_followed_soon_and_once() -> None:
    faces = run([HAPPY] * 60 + [SAD] * 60, 30)
    changed = next(i for i, face in enumerate(faces) if face.emotion is Emotion.SAD)
    assert 2 <= changed - 60 <= 9  # 0.3 s
    assert count_flips(faces) == 1
    plain = 0.7 - 0.65 * math.exp(-(changed - 59) / 30 / SMOOTH_S)
    assert faces[changed].basis["sad"] > plain + 0.1  # it started afresh instead of fading over


def test_a_blink_changes_nothing() -> None:
    blink = (HAPPY + SAD) / 2
    answers = [HAPPY] * 60 + [blink] * 6 + [HAPPY] * 60 + [SAD] * 2 + [HAPPY] * 30
    assert {face.emotion for face in run(answers, 30)} == {Emotion.HAPPY}


def test_a_face_between_two_expressions_keeps_its_label() -> None:
    rng = np.random.default_rng(0)
    answers = [spread(happy=0.45 + d, sad=0.44 - d) for d in rng.normal(0, 0.05, 600)]
    raw = sum(np.argmax(a) != np.argmax(b) for a, b in pairwise(answers))
    assert raw > 200
    assert count_flips(run(answers, 30)) <= 2


def test_a_narrow_lead_wins_in_the_end() -> None:
    faces = run([spread(happy=0.5, sad=0.42)] * 30 + [spread(happy=0.42, sad=0.5)] * 90, 30)
    assert faces[45].emotion is Emotion.HAPPY
    assert faces[-1].emotion is Emotion.SAD
    assert count_flips(faces) == 1


def test_uncertainty_has_hysteresis_too() -> None:
    rng = np.random.default_rng(1)
    around = [spread(happy=THRESHOLD + d) for d in rng.normal(0, 0.02, 300)]
    assert count_flips(run(around, 30)) <= 2
    faces = run([spread(happy=0.6)] * 30 + [spread(happy=0.25)] * 30 + [spread(happy=0.6)] * 30, 30)
    assert faces[59].emotion is None
    assert faces[59].confidence == faces[59].basis[faces[59].basis.top]
    assert faces[-1].emotion is Emotion.HAPPY
    assert run([TORN], 30)[0].emotion is None


def test_six_labels_are_smoothed_too() -> None:
    values = np.full(6, 0.1)
    values[2] = 0.5
    face = dataclasses.replace(make_face(HAPPY), probabilities=Distribution(EMOTIONS_WITHOUT_DISGUST, values))
    [smooth] = Smoother(THRESHOLD).smooth([face], 0.0)
    assert smooth.emotion is Emotion.HAPPY
    assert smooth.basis.labels == EMOTIONS_WITHOUT_DISGUST


def test_memory_does_not_grow_with_the_number_of_people() -> None:
    smoother = Smoother(THRESHOLD)
    for i in range(500):
        smoother.smooth([make_face(HAPPY, i)], float(i))
    assert len(smoother._people) < 70


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.01, 0.2, 5.0]), st.integers(0, 6), st.floats(0, 1)), min_size=1, max_size=30
    )
)
@settings(deadline=None)
def test_whatever_comes_the_answer_is_a_distribution(frames: list[tuple[float, int, float]]) -> None:
    smoother, time_s = Smoother(THRESHOLD), 0.0
    for step, label, share in frames:
        time_s += step
        values = np.full(7, (1 - share) / 6)
        values[label] = share
        [face] = smoother.smooth([make_face(values)], time_s)
        assert face.smoothed is not None  # and Distribution checks that it is one
        if face.emotion is not None:
            assert face.confidence == face.basis[face.emotion]


def test_wrong_arguments_are_refused() -> None:
    for bad in ({"smooth_s": -1}, {"smooth_s": math.nan}, {"margin": -0.1}):
        with pytest.raises(UsageError, match="smooth_s"):
            Smoother(THRESHOLD, **bad)
    smoother = Smoother(THRESHOLD)
    smoother.smooth([make_face(HAPPY)], 1.0)
    with pytest.raises(UsageError, match="after 1"):
        smoother.smooth([make_face(HAPPY)], 0.5)


@pytest.mark.parametrize("fps", [30, 5])
def test_noisy_clips_with_a_known_change(fps: int) -> None:
    """Noise on the logarithms as benchmarks/smoothing.py measured and assumed it: 0.24 per frame, 0.35 over 0.4 s."""
    rng, kept = np.random.default_rng(3), math.exp(-1 / fps / 0.4)
    flips, raw_flips, lags, clips, seconds = 0, 0, [], 600 // fps, 3.0
    for _ in range(clips):
        first, second = rng.permutation(7)[:2]
        third = rng.integers(7)
        slow, answers = rng.normal(size=7), []
        for i in range(round(2 * seconds * fps)):
            slow = kept * slow + math.sqrt(1 - kept**2) * rng.normal(size=7)
            mean = np.full(7, 0.2 / 7)
            mean[first if i < seconds * fps else second] += 0.6
            mean[third] += 0.2
            weights = mean * np.exp(0.24 * rng.normal(size=7) + 0.35 * slow)
            answers.append(weights / weights.sum())
        faces = run(answers, fps)
        half, settled = round(seconds * fps), round((seconds + 1.5) * fps)
        flips += count_flips(faces[:half]) + count_flips(faces[settled:])
        labels = [make_face(a).emotion for a in answers]
        raw_flips += sum(a != b for part in (labels[:half], labels[settled:]) for a, b in pairwise(part))
        lags.append(next((i / fps for i, f in enumerate(faces[half:]) if f.emotion == EMOTIONS[second]), math.inf))
    minutes = clips * (2 * seconds - 1.5) / 60
    assert raw_flips >= 6 * flips > 0
    assert raw_flips / minutes > 5
    assert np.median(lags) <= 0.3
    assert np.quantile(lags, 0.95) < 1.5

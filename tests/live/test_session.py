"""A film as the camera, a square as the face: what the window shows, what is recorded, what keeps up with what."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fervid.cli.camera import stop_on_signals
from fervid.errors import ImageError, InputError, UsageError, VideoError
from fervid.live import session as session_module
from fervid.live.reading import LiveReading
from fervid.live.recording import LONGEST_S, FilmRecorder
from fervid.live.session import Session, SessionSummary
from fervid.live.view import ViewMode, choose_window_size
from fervid.live.window import Window
from fervid.pipeline import Analyzer
from fervid.results import Frame
from fervid.video.camera import Camera
from fervid.video.reading import VideoReader

pytestmark = pytest.mark.usefixtures("quiet_screen")


def find_red(image: NDArray[np.uint8]) -> tuple[float, float]:
    """(left, right) of the square, as shares of the picture's width."""
    red = image[:, :, 0].astype(int) - image[:, :, 1:].max(axis=2)
    columns = np.flatnonzero((red > 120).sum(axis=0) > 5)
    return columns.min() / image.shape[1], (columns.max() + 1) / image.shape[1]


class Stage:
    """A session with everything it needs; ``on_show`` sees every picture of the window."""

    def __init__(self, film: Path, detector: Any, **options: Any) -> None:
        self.analyzer = Analyzer("base", detector, threads=1)
        self.film = film
        self.options = options
        self.answers: list[tuple[float, Frame]] = []
        self.notes: list[str] = []
        self.shown: list[NDArray[np.uint8]] = []
        self.stop = threading.Event()

    def play(
        self,
        *,
        window: bool = True,
        output: Path | None = None,
        loop: bool = False,
        end_s: float | None = None,
        on_show: Callable[[Session, int], None] | None = None,
        mode: ViewMode | None = None,
    ) -> SessionSummary:
        with contextlib.ExitStack() as stack:
            self.camera = camera = stack.enter_context(Camera(self.film, loop=loop))
            reading = stack.enter_context(
                LiveReading(camera, self.analyzer, takers=[lambda f: self.answers.append((camera.now_s, f))])
            )
            recorder = None if output is None else stack.enter_context(FilmRecorder(output, camera, reading))
            screen = None
            if window:
                screen = stack.enter_context(Window("test", choose_window_size(camera.size)))
                real = screen.show

                def show(image: NDArray[np.uint8]) -> None:
                    real(image)
                    self.shown.append(image)
                    if on_show is not None:
                        on_show(session, len(self.shown))

                screen.show = show  # type: ignore[method-assign]
            session = Session(camera, reading, window=screen, recorder=recorder, mode=mode, notify=self.notes.append)
            self.recorder, self.session, self.window = recorder, session, screen
            return session.run(self.stop, end_s=end_s)


@pytest.fixture
def stage(make_square_film: Callable[..., Path], squares: Any) -> Stage:
    return Stage(make_square_film(), squares())


def test_the_window_shows_the_face_with_its_number_and_q_ends(
    stage: Stage, press: Callable[..., None], look: Callable[[Window], NDArray[np.uint8]]
) -> None:
    seen: list[NDArray[np.uint8]] = []

    def on_show(session: Session, count: int) -> None:
        if len(stage.answers) >= 8 and not seen:
            assert stage.window is not None
            seen.append(look(stage.window))
            press("q")

    summary = stage.play(loop=True, on_show=on_show)
    assert summary.people == 1
    assert summary.answered >= 8
    assert 0 < summary.shown <= len(stage.shown)
    assert summary.received >= summary.shown
    assert stage.answers[-1][1].source == str(stage.film)
    (face,) = stage.answers[-1][1].faces
    assert face.track_id == 1
    assert face.smoothed is not None
    left, right = find_red(seen[0])
    height, width = seen[0].shape[:2]
    # Beside the square: the frame and the label or the bars, which the film does not have.
    changed = np.abs(seen[0][: int(height * 0.9)].astype(int) - 120).max(axis=2) > 60
    changed[:, int(left * width) : int(right * width)] = False
    assert changed.sum() > 500
    assert seen[0][int(height * 0.96) :].max() > 240  # the status line


@pytest.mark.parametrize("key", ["escape", "close"])
def test_other_ways_to_end(stage: Stage, press: Callable[..., None], key: str) -> None:
    summary = stage.play(loop=True, on_show=lambda _, count: press(key) if count == 2 else None)
    assert summary.shown >= 2


def test_keys_change_what_is_shown(stage: Stage, press: Callable[..., None], tmp_path: Path) -> None:
    modes: list[tuple[bool, bool, bool]] = []
    sizes: list[tuple[int, int]] = []

    def on_show(session: Session, count: int) -> None:
        assert stage.recorder is not None
        assert stage.window is not None
        modes.append((session.mode.emoji, session.mode.mirror, stage.recorder.emoji))
        sizes.append(stage.window.size)
        if 2 <= count <= 6:
            press({2: "e", 3: "f", 4: "m", 5: "f", 6: "e"}[count])
        if count == 8:
            press("q")

    stage.play(loop=True, on_show=on_show, output=tmp_path / "out.mp4")
    assert modes[0] == (False, False, False)
    assert modes[2] == (True, False, True)
    assert modes[4] == (True, True, True)
    assert modes[6] == (False, True, False)
    assert sizes[2] == sizes[5] < sizes[3]  # the whole screen


def test_a_slow_model_does_not_hold_up_the_window(stage: Stage, press: Callable[..., None]) -> None:
    detector, ended, waited = stage.analyzer.detector, threading.Event(), []
    find = detector.detect

    def detect(image: NDArray[np.uint8], *, min_face: float) -> Any:
        """As slow as eight pictures of the window, however slow the machine is."""
        goal, patience = len(stage.shown) + 8, time.monotonic() + 20
        while len(stage.shown) < goal and time.monotonic() < patience and not ended.wait(0.005):
            pass
        if not ended.is_set():
            waited.append(len(stage.shown) >= goal)
        return find(image, min_face=min_face)

    def on_show(_: Session, count: int) -> None:
        if count == 40:
            ended.set()
            press("q")

    detector.detect = detect  # type: ignore[method-assign]
    summary = stage.play(loop=True, on_show=on_show)
    assert len(waited) >= 3
    assert all(waited)  # the window went on
    assert summary.shown > summary.answered
    indices = [frame.index for _, frame in stage.answers]
    assert np.diff([frame.time_s for _, frame in stage.answers]).min() > 0
    # Latest wins: what came while the model was busy is left out.
    assert indices[-1] + 1 - len(indices) >= 3 * len(waited)


def test_the_session_ends_with_its_film_its_time_or_when_told(stage: Stage) -> None:
    assert stage.play(window=False).received == 60
    began = time.monotonic()
    assert stage.play(window=False, loop=True, end_s=0.3).seconds >= 0.3
    timer = threading.Timer(0.2, stage.stop.set)
    timer.start()
    stage.play(window=False, loop=True)
    timer.join()
    assert time.monotonic() - began < 60


def test_the_film_is_whole_shows_faces_and_is_not_mirrored(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "film" / "out.mp4"
    summary = stage.play(output=path, mode=ViewMode(mirror=True))
    assert stage.recorder is not None
    with VideoReader(path) as reader:
        frames = list(reader)
        assert {problem.kind for problem in reader.problems} <= {"gap"}  # a busy machine leaves pictures out
    assert len(frames) == stage.recorder.written
    assert stage.recorder.written + stage.recorder.left_out <= summary.received
    assert np.diff([frame.time_s for frame in frames]).min() > 0.03
    first = 60 - stage.recorder.written - stage.recorder.left_out
    if stage.recorder.left_out == 0:
        assert [f.time_s for f in frames] == pytest.approx([i / 30 for i in range(len(frames))], abs=2e-3)
        lefts = [find_red(frame.image)[0] * 240 for frame in frames]
        assert lefts == pytest.approx([20 + first + i for i in range(len(lefts))], abs=9)
    last = frames[-1].image.astype(int)
    assert (np.abs(last - 120).max(axis=2) > 60).sum() > 60 * 60 + 300  # a frame and a label, however short
    assert list(path.parent.iterdir()) == [path]


def test_an_error_of_the_reading_ends_the_session_and_leaves_no_film(stage: Stage, tmp_path: Path) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ImageError("it broke")

    stage.analyzer.detector.detect = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(ImageError, match="it broke"):
        stage.play(output=tmp_path / "out.mp4", loop=True)
    assert [p.name for p in tmp_path.iterdir()] == ["square.mp4"]


def test_an_error_of_the_recorder_ends_the_session(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise VideoError("the disk is full")

    monkeypatch.setattr(FilmRecorder, "_write", fail)
    with pytest.raises(VideoError, match="the disk is full"):
        stage.play(output=tmp_path / "out.mp4", loop=True)
    assert [p.name for p in tmp_path.iterdir()] == ["square.mp4"]
    with pytest.raises(UsageError, match="film format"):
        stage.play(output=tmp_path / "out.txt")


def test_an_error_of_the_camera_ends_the_session(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(mailbox: Any, reader: Any, loop: bool) -> None:
        mailbox.put(next(iter(reader)).image, 0.0)
        raise InputError("the film was moved")

    monkeypatch.setattr("fervid.video.camera._play_film", play)
    with pytest.raises(InputError, match="the film was moved"):
        stage.play(window=False)
    monkeypatch.setattr(LiveReading, "check", lambda _: None)  # whose thread may be closed before it hears of it
    with pytest.raises(InputError, match="the film was moved"):
        stage.play(window=False)


def test_a_camera_that_was_away_for_half_a_day_does_not_cost_the_film(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away_s = 12 * 3600.0
    times_s = [0.0, 0.1, away_s, away_s + 0.1, 2 * away_s]

    def play(mailbox: Any, reader: Any, loop: bool) -> None:
        image = next(iter(reader)).image
        for time_s in times_s:
            mailbox.put(image, time_s)
            while len(mailbox.watchers) < 2 and not mailbox.stop.wait(0.005):  # the reading and the recorder
                pass

    monkeypatch.setattr("fervid.video.camera._play_film", play)
    stage.play(window=False, output=tmp_path / "out.mp4")
    assert stage.recorder is not None
    with VideoReader(tmp_path / "out.mp4") as reader:
        written = [frame.time_s for frame in reader]
    assert np.diff(written) == pytest.approx([0.1, LONGEST_S, 0.1, LONGEST_S], abs=1e-3)
    assert stage.recorder.shortened_s == pytest.approx(2 * away_s - 0.2 - 2 * LONGEST_S)


def test_a_lost_camera_is_said_on_the_screen_and_off_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    notices: list[str] = []
    compose = session_module.View.compose

    def listen(*arguments: Any, **options: Any) -> Any:
        notices.append(options["notice"])
        return compose(*arguments, **options)

    monkeypatch.setattr(session_module.View, "compose", listen)
    monkeypatch.setattr(session_module, "_STATUS_S", 0.02)
    lost = threading.Event()

    def play(mailbox: Any, reader: Any, loop: bool) -> None:
        for frame in reader:
            mailbox.put(frame.image, frame.time_s)
            if frame.index == 5:
                mailbox.lose("the cable was pulled")
                lost.wait(30)
            mailbox.stop.wait(0.02)

    def on_show(session: Session, count: int) -> None:
        if notices[-1]:
            lost.set()

    monkeypatch.setattr("fervid.video.camera._play_film", play)
    summary = stage.play(on_show=on_show)
    assert f"{stage.film} is lost: trying again" in notices
    assert stage.notes[0] == "the cable was pulled; trying again until it comes back"
    assert stage.notes[1].startswith(f"{stage.film} is back after")
    assert len(stage.notes) == 2
    assert summary.losses == 1


def test_a_camera_that_stands_still_is_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_SILENT_S", 0.1)
    monkeypatch.setattr(session_module, "_STATUS_S", 0.02)
    darkest: list[int] = []

    def play(mailbox: Any, reader: Any, loop: bool) -> None:
        mailbox.put(next(iter(reader)).image, 0.0)
        mailbox.stop.wait(30)

    monkeypatch.setattr("fervid.video.camera._play_film", play)

    def on_show(session: Session, count: int) -> None:
        darkest.append(int(stage.shown[-1][5, 5].max()))
        if darkest[-1] < 100:
            stage.stop.set()

    stage.play(on_show=on_show)
    assert darkest[-1] < 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_politely_once(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        signal.raise_signal(number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """No session lasts for ever, whatever is broken."""

    def fail(number: int, frame: Any) -> None:
        raise AssertionError("the session does not end")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)

"""Cameras: films that play as one, and a camera on a network that breaks off and comes back."""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.errors import InputError, MissingExtraError, UsageError, VideoError
from fervid.video import camera as camera_module
from fervid.video import capture
from fervid.video.camera import Camera
from fervid.video.capture import find_door, mask_password
from fervid.video.pixels import FrameConverter


def count_threads() -> int:
    return sum(thread.name == "fervid-camera" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def no_threads_are_left() -> Iterator[None]:
    yield
    gc.collect()
    assert count_threads() == 0


class NetworkCamera:
    """An address at which numbered JPEGs come, ``per_visit`` to each visitor, then the line is cut."""

    def __init__(self, draw: Callable[..., NDArray[np.uint8]], per_visit: int = 20, *, port: int = 0) -> None:
        outer = self
        self.sent = 0
        self.visits = 0
        self.per_visit = per_visit
        self._draw = draw

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.visits += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for _ in range(outer.per_visit):
                        data = outer.encode()
                        self.wfile.write(
                            b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                        )
                        self.wfile.write(data + b"\r\n")
                        time.sleep(0.02)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://somebody:secret@127.0.0.1:{self.port}/live"

    def encode(self) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(self._draw(self.sent)).save(stream, "JPEG", quality=95)
        self.sent += 1
        return stream.getvalue()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def network_camera(draw_number: Callable[..., NDArray[np.uint8]]) -> Iterator[NetworkCamera]:
    made = NetworkCamera(draw_number)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("device", "platform", "target", "file_format", "kind", "name"),
    [
        ("0", "linux", "/dev/video0", "v4l2", "device", "camera 0"),
        (2, "linux", "/dev/video2", "v4l2", "device", "camera 2"),
        ("/dev/video7", "linux", "/dev/video7", "v4l2", "device", "/dev/video7"),
        (1, "darwin", "1:none", "avfoundation", "device", "camera 1"),
        ("rtsp://a:b@cam.local:554/1", "linux", "rtsp://a:b@cam.local:554/1", None, "stream", "rtsp://cam.local:554/1"),
        ("HTTP://cam/x?y=1", "linux", "HTTP://cam/x?y=1", None, "stream", "http://cam/x"),
    ],
)  # fmt: skip
def test_what_a_camera_may_be_called(
    device: int | str, platform: str, target: str, file_format: str | None, kind: str, name: str
) -> None:
    door = find_door(device, platform=platform)
    assert (door.target, door.file_format, door.kind, door.name) == (target, file_format, kind, name)


def test_a_device_is_asked_for_jpegs_of_the_size_then_for_the_size_then_for_anything() -> None:
    options = find_door(0, size=(640, 480), platform="linux").options
    assert [o.get("input_format") for o in options] == ["mjpeg", None, None]
    assert [o.get("video_size") for o in options] == ["640x480", "640x480", None]


@pytest.mark.parametrize(
    ("device", "error"),
    [("-1", UsageError), ("gopher://x", UsageError), ("rtsp://me:secret@[::1/cam", UsageError), ("no.mp4", InputError)],
)
def test_what_is_no_camera(device: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Camera(device)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@10.0.0.1/a", "rtsp://10.0.0.1/a"),
        ("http://cam/video.cgi?usr=me&pwd=secret#secret", "http://cam/video.cgi"),
        (
            "rtsp://10.0.0.5:554/user=me&password=secret&channel=1",
            "rtsp://10.0.0.5:554/user=***&password=***&channel=1",
        ),
        ("rtsp://cam/user=me_password=se_cret_channel=1.sdp", "rtsp://cam/user=***_password=***_channel=1.sdp"),
        ("rtsp://cam/live/AuthToken=secret/1", "rtsp://cam/live/AuthToken=***/1"),
    ],
)
def test_a_password_is_not_repeated(address: str, shown: str) -> None:
    assert mask_password(address) == shown
    assert find_door(address).name == shown
    assert find_door(address).target == address


def test_an_address_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(UsageError, match="is no address") as caught:
        find_door("rtsp://[::1/user=me&password=secret?pwd=secret")
    assert "secret" not in str(caught.value)


def test_a_film_plays_at_its_own_speed(tmp_path: Path, make_film: Callable[..., Path], read_number: Any) -> None:
    film = make_film(tmp_path / "film.mp4", frames=16, rate=40)
    began = time.monotonic()
    with Camera(film) as camera:
        frames = list(camera.watch(backlog=16))
    assert time.monotonic() - began >= 16 / 40 - 0.03
    assert camera.size == (160, 120)
    numbers = [frame.index for frame in frames]
    assert numbers == list(range(numbers[0], 16))
    assert [read_number(frame.image) for frame in frames] == numbers
    assert [frame.time_s for frame in frames] == pytest.approx([i / 40 for i in numbers], abs=1e-3)
    assert all(frame.arrived_s >= frame.time_s - 1e-6 for frame in frames)
    assert camera.status.state == "ended"
    assert camera.wait(15, timeout_s=0) is None


def test_the_latest_picture_wins(tmp_path: Path, make_film: Callable[..., Path], read_number: Any) -> None:
    film = make_film(tmp_path / "film.mp4", frames=60, rate=60)
    indices = []
    with Camera(film) as camera:
        watching, deadline = camera.watch(), time.monotonic() + 60
        while time.monotonic() < deadline:
            before = camera.received
            frame = next(watching, None)
            if frame is None:
                break
            assert frame.index >= before - 1
            assert read_number(frame.image) == frame.index
            indices.append(frame.index)
            time.sleep(0.1)
    assert indices == sorted(set(indices))
    assert indices[-1] == 59
    assert len(indices) < 60


def test_a_backlog_keeps_what_a_slow_watcher_would_miss(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    film = make_film(tmp_path / "film.mp4", frames=12, rate=60)
    with Camera(film) as camera:
        watching = camera.watch(backlog=4)
        first, deadline = next(watching).index, time.monotonic() + 60
        while camera.status.state != "ended" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert camera.status.state == "ended"
        assert [frame.index for frame in watching] == [i for i in range(8, 12) if i > first]


def test_a_film_can_begin_again(tmp_path: Path, make_film: Callable[..., Path], read_number: Any) -> None:
    film = make_film(tmp_path / "film.mp4", frames=6, rate=60)
    with Camera(film, loop=True) as camera:
        frames = [frame for frame, _ in zip(camera.watch(backlog=30), range(15), strict=False)]
    assert [read_number(frame.image) for frame in frames] == [f.index % 6 for f in frames]
    times = [frame.time_s for frame in frames]
    assert np.diff(times) == pytest.approx(np.diff([f.index for f in frames]) / 60, abs=2e-3)


def test_a_camera_that_is_forgotten_stops(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    camera = Camera(make_film(tmp_path / "film.mp4", frames=300, rate=30))
    assert count_threads() == 1
    del camera
    gc.collect()
    assert count_threads() == 0


def test_closing_ends_everybody_who_waits(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    camera = Camera(make_film(tmp_path / "film.mp4", frames=2, rate=1), loop=True)
    seen: list[int] = []
    watcher = threading.Thread(target=lambda: seen.extend(frame.index for frame in camera.watch()))
    watcher.start()
    deadline = time.monotonic() + 60
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    camera.close()
    watcher.join(10)
    assert not watcher.is_alive()
    assert seen
    assert camera.status.state == "ended"


def test_a_camera_that_drops_is_found_again(network_camera: NetworkCamera, read_number: Any) -> None:
    frames, states = [], set()
    with Camera(network_camera.address) as camera:
        assert camera.name == f"http://127.0.0.1:{network_camera.port}/live"
        assert camera.kind == "stream"
        deadline = time.monotonic() + 60
        while network_camera.visits < 3 and time.monotonic() < deadline:
            frame = camera.wait(frames[-1].index if frames else -1, timeout_s=0.02)
            states.add(camera.status.state)
            if frame is not None:
                frames.append(frame)
        assert camera.status.losses >= 1
    assert network_camera.visits >= 3
    assert states >= {"live", "lost"}
    assert max(read_number(frame.image) for frame in frames) >= network_camera.per_visit  # of the second visit
    assert np.diff([frame.index for frame in frames]).min() >= 1
    assert np.diff([frame.time_s for frame in frames]).min() > 0


def test_a_camera_that_is_not_there_is_an_error_at_once(network_camera: NetworkCamera) -> None:
    network_camera.close()
    with pytest.raises(InputError, match="cannot read http") as caught:
        Camera(network_camera.address)
    assert "secret" not in str(caught.value)


def test_a_silent_camera_is_an_error(monkeypatch: pytest.MonkeyPatch, network_camera: NetworkCamera) -> None:
    network_camera.per_visit = 0
    with pytest.raises(InputError):
        Camera(network_camera.address)


def test_a_broken_film_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(VideoError, match="not a film"):
        Camera(tmp_path / "film.mp4")


def test_an_error_of_the_thread_reaches_whoever_watches(
    tmp_path: Path, make_film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(mailbox: Any, reader: Any, loop: bool) -> None:
        mailbox.put(next(iter(reader)).image, 0.0)
        raise VideoError("it tore")

    monkeypatch.setattr(camera_module, "_play_film", play)
    with Camera(make_film(tmp_path / "film.mp4")) as camera:
        with pytest.raises(VideoError, match="it tore"):
            list(camera.watch())
        with pytest.raises(VideoError, match="it tore"):
            camera.check()


@pytest.mark.parametrize("failure", [av.error.ArgumentError(22, "Invalid argument"), ValueError("no such colours")])
def test_a_picture_that_cannot_be_converted_costs_that_picture_alone(
    failure: Exception,
    tmp_path: Path,
    make_film: Callable[..., Path],
    read_number: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    convert, count = FrameConverter.convert, itertools.count()

    def fail_once(self: Any, frame: Any) -> NDArray[np.uint8]:
        if next(count) == 2:
            raise failure
        return convert(self, frame)

    monkeypatch.setattr(FrameConverter, "convert", fail_once)
    film = make_film(tmp_path / "film.mp4", frames=5)
    with contextlib.closing(capture.Capture(capture.Door("film", "film", str(film)))) as opened:
        assert [read_number(image) for image, _ in opened.read()] == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), "there is no camera 0"),
        (PermissionError(13, "Permission denied"), "may not be opened"),
        (av.error.OSError(16, "Device or resource busy"), "another program uses camera 0"),
        (av.error.OSError(25, "Inappropriate ioctl for device"), "cannot read camera 0"),
    ],
)
def test_why_a_device_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(capture, "sys", type("System", (), {"platform": "linux"}))
    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(InputError, match=words) as caught:
        Camera(0)
    assert caught.value.advice


def test_a_device_that_knows_no_jpegs_is_asked_again(
    tmp_path: Path, make_film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_film(tmp_path / "film.mp4", frames=5)
    real, asked = av.open, []

    def open_device(target: str, mode: str, *, options: dict[str, str], **others: Any) -> Any:
        asked.append(options.get("input_format"))
        if "input_format" in options:
            raise av.error.ArgumentError(22, "Invalid argument")
        return real(film, mode, timeout=others["timeout"])

    monkeypatch.setattr(av, "open", open_device)
    with Camera("/dev/video3") as camera:
        assert camera.kind == "device"
        assert camera.size == (160, 120)
    assert asked[:2] == ["mjpeg", None]


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match="video"):
        Camera(0)


class FakeMailbox:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.epoch = 0.0
        self.frame: Any = None


def test_a_clock_that_runs_is_believed_and_one_that_does_not_is_not() -> None:
    mailbox: Any = FakeMailbox()
    clock = camera_module._Clock(mailbox)

    def read(now_s: float, camera_s: float | None) -> float:
        mailbox.now_s = now_s
        time_s = clock.read(camera_s)
        mailbox.frame = type("Frame", (), {"time_s": time_s})
        return time_s

    assert read(0.0, 1000.0) == 0.0
    assert read(0.09, 1000.033) == pytest.approx(0.033)  # it arrived late
    assert read(0.10, 1000.066) == pytest.approx(0.066)
    assert read(5.0, 1000.1) == pytest.approx(5.0)  # it had stopped
    assert read(5.04, 1000.133) == pytest.approx(5.033)
    assert read(5.05, 3.0) == pytest.approx(5.05)  # it began anew
    assert read(5.06, 3.0) > 5.05  # it stands still
    assert read(5.2, None) == pytest.approx(5.2)

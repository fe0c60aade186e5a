import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fervid.drawing.palette import emotion_colour
from fervid.drawing.timeline import BINS, Chart, Timeline, describe_chart, format_time, plot_timeline
from fervid.drawing.timelinefigure import DARK, LIGHT, STACKING, draw_timeline, join_bins
from fervid.drawing.timelinepage import build_timeline
from fervid.emotions import EMOTIONS, EMOTIONS_WITHOUT_DISGUST, VOTE_LABELS, Emotion
from fervid.errors import OutputError, UsageError
from fervid.results import Box, Distribution, Face, Frame

VOTES = Distribution(VOTE_LABELS, [1 / 8] * 8)
SHOWN = {"h": Emotion.HAPPY, "s": Emotion.SAD, "a": Emotion.ANGRY, "?": None}


def film(*people: str, step_s: float = 0.1, start_s: float = 0.0, source: str | None = "talk.mp4") -> Iterator[Frame]:
    """What each person shows on every frame, by its first letter; ? is uncertain, a dot is not there."""
    for i, shown in enumerate(zip(*people, strict=True)):
        faces = []
        for track, letter in enumerate(shown, start=1):
            if letter == ".":
                continue
            emotion = SHOWN[letter]
            label = emotion or Emotion.NEUTRAL
            probabilities = Distribution(EMOTIONS, [0.94 if e is label else 0.01 for e in EMOTIONS])
            faces.append(Face(Box(0, 0, 9, 9), 1.0, emotion, 0.94, probabilities, VOTES, track_id=track))
        yield Frame(tuple(faces), (99, 99), "m", "haar", source, index=i, time_s=start_s + i * step_s)


def collect(frames: Iterator[Frame], most_lanes: int = 40) -> Chart:
    timeline = Timeline()
    for frame in frames:
        timeline.add(frame)
    return timeline.finish(most_lanes)


TWO = ("h" * 40 + "." * 20 + "?" * 20 + "s" * 20, "a" * 100)


def read_pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def to_rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def count_pixels(pixels: NDArray[np.uint8], colour: tuple[int, ...]) -> int:
    return int((pixels == np.array(colour)).all(axis=-1).sum())


def test_bins_hold_the_time_of_every_label() -> None:
    chart = collect(film(*TWO))
    first, second = chart.lanes
    seconds = dict(zip([*chart.labels, None], first.label_s.sum(axis=0), strict=True))
    assert seconds[Emotion.HAPPY] == pytest.approx(4.0)
    assert seconds[None] == pytest.approx(2.0)
    assert seconds[Emotion.SAD] == pytest.approx(2.0)
    assert first.seen_s == pytest.approx(8.0)
    assert first.find_main(chart.labels) == ("happy", pytest.approx(0.5))
    assert second.shares[chart.labels.index(Emotion.ANGRY)] == pytest.approx(1)
    assert chart.seconds == pytest.approx(10.0)
    assert (first.label_s.sum(axis=1) <= chart.bin_s + 1e-9).all()
    seen = first.label_s.sum(axis=1) > 0
    assert first.probabilities[seen].sum(axis=1) == pytest.approx(1)
    assert not first.probabilities[~seen].any()
    assert 0.18 < (~seen).mean() < 0.22


@pytest.mark.parametrize("seconds", [10, 100, 2000, 40_000])
def test_bins_grow_with_the_film_and_lose_nothing(seconds: int) -> None:
    step = seconds / 500
    chart = collect(film("h" * 250 + "s" * 250, "." * 490 + "a" * 10, step_s=step))
    assert max(lane.first + len(lane.label_s) for lane in chart.lanes) <= BINS
    assert chart.lanes[0].label_s.sum(axis=0)[EMOTIONS.index(Emotion.HAPPY)] == pytest.approx(seconds / 2)
    assert chart.lanes[1].seen_s == pytest.approx(10 * step)
    assert chart.lanes[1].first * chart.bin_s == pytest.approx(490 * step, abs=chart.bin_s)


def test_memory_is_bounded() -> None:
    timeline = Timeline()
    for frame in film("hs" * 5000, step_s=1.0):
        timeline.add(frame)
    assert sum(len(bins) for bins in timeline._bins.values()) <= BINS


def test_joining_bins_keeps_times_and_means() -> None:
    lane = collect(film("." * 7 + "h" * 33 + "s" * 20)).lanes[0]
    for factor in (2, 3, 7):
        joined = join_bins(lane, factor)
        assert joined.first == lane.first // factor
        assert joined.label_s.sum(axis=0) == pytest.approx(lane.label_s.sum(axis=0))
        seconds = joined.label_s.sum(axis=1, keepdims=True)
        before = (lane.probabilities * lane.label_s.sum(axis=1, keepdims=True)).sum(axis=0)
        assert (joined.probabilities * seconds).sum(axis=0) == pytest.approx(before)


def test_a_film_that_starts_late_keeps_its_clock() -> None:
    chart = collect(film("h" * 20, start_s=600.0))
    assert (chart.start_s, chart.seconds) == (600.0, pytest.approx(2.0))
    assert chart.lanes[0].first == 0


def test_those_seen_longest_get_the_lanes_in_order_of_appearance() -> None:
    chart = collect(film("." * 9 + "h", "." + "h" * 9, "h" * 10), most_lanes=2)
    assert [lane.track_id for lane in chart.lanes] == [3, 2]
    assert chart.hidden == 1
    assert describe_chart(chart) == "2 people · 0:01 · 1 more, each seen for less than 0.9 s, are left out"
    long = replace(chart, lanes=tuple(replace(lane, label_s=np.full((2, 8), 125.0)) for lane in chart.lanes))
    assert describe_chart(long).endswith("each seen for less than 33:20, are left out")


@pytest.mark.parametrize(("dark", "theme"), [(False, LIGHT), (True, DARK)])
def test_the_picture_shows_what_was_said_and_where_nobody_was(dark: bool, theme: object) -> None:
    pixels = read_pixels(draw_timeline(collect(film(*TWO)), "talk", dark=dark))
    assert pixels.shape[1] == 1560
    assert tuple(pixels[0, 0]) == to_rgb(theme.paper)  # type: ignore[attr-defined]
    height, width = pixels.shape[:2]
    lanes = pixels[:, 200:1320]
    happy, sad, angry = (emotion_colour(e) for e in (Emotion.HAPPY, Emotion.SAD, Emotion.ANGRY))
    strips = [count_pixels(lanes, colour) for colour in (happy, sad, angry)]
    assert strips[0] / strips[2] == pytest.approx(0.4, abs=0.05)
    assert strips[1] / strips[2] == pytest.approx(0.2, abs=0.05)
    empty = count_pixels(lanes, to_rgb(theme.empty)) / (lanes.shape[0] * lanes.shape[1])  # type: ignore[attr-defined]
    assert 0.04 < empty < 0.1  # a fifth of one of two lanes
    left, right = 176, 1560 - 228
    row = next(y for y in range(height) if tuple(pixels[y, left + 30]) == happy)
    at = [tuple(pixels[row + 12, round(left + (right - left) * share)]) for share in (0.22, 0.47, 0.88)]
    assert at == [happy, to_rgb(theme.empty), sad]  # type: ignore[attr-defined]
    unsure = pixels[row + 4 : row + 34, round(left + (right - left) * 0.62) : round(left + (right - left) * 0.78)]
    assert len(np.unique(unsure.reshape(-1, 3), axis=0)) > 4  # hatched
    assert not {tuple(colour) for colour in unsure.reshape(-1, 3).tolist()} & {happy, sad, angry}
    assert width == 1560


def test_uncertain_and_absent_look_different_in_thin_lanes_too() -> None:
    people = ["h" * 30 + "." * 30 + "?" * 40] * 20
    pixels = read_pixels(draw_timeline(collect(film(*people)), "crowd"))
    lanes = pixels[150:-80, 176:1330]
    third = lanes.shape[1] / 10
    parts = [lanes[:, round(a * third) + 8 : round(b * third) - 8] for a, b in ((0, 3), (3, 6), (6, 10))]
    happy, empty = emotion_colour(Emotion.HAPPY), to_rgb(LIGHT.empty)
    assert [count_pixels(part, happy) > 0.5 * part.shape[0] * part.shape[1] for part in parts] == [True, False, False]
    assert [count_pixels(part, empty) > 0.5 * part.shape[0] * part.shape[1] for part in parts] == [False, True, False]
    assert len(np.unique(parts[2].reshape(-1, 3), axis=0)) > 10


def test_the_same_film_gives_the_same_picture() -> None:
    assert draw_timeline(collect(film(*TWO)), "t") == draw_timeline(collect(film(*TWO)), "t")


def test_thumbnails_are_drawn_when_given() -> None:
    chart, magenta = collect(film(*TWO)), np.full((40, 40, 3), (255, 0, 255), np.uint8)
    plain, pictured = (read_pixels(draw_timeline(chart, "t", thumbnails=t)) for t in ({}, {2: magenta}))
    assert count_pixels(plain, (255, 0, 255)) == 0
    assert 60**2 < count_pixels(pictured, (255, 0, 255)) < 120**2
    assert "data:image/png" not in build_timeline(chart, "t")
    assert build_timeline(chart, "t", thumbnails={2: magenta}).count("data:image/png") == 1


def unpack(page: str) -> dict[str, object]:
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index, no-any-return]


def test_the_page_stands_alone() -> None:
    page = build_timeline(collect(film(*TWO)), "talk")
    assert not re.search(r"https?://|@import|url\(|src=\"(?!data:)", page)
    script = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert len(script) == 1
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_carries_the_lanes() -> None:
    chart = collect(film(*TWO))
    data = unpack(build_timeline(chart, "talk"))
    assert [label["name"] for label in data["labels"]] == [str(e) for e in STACKING]  # type: ignore[attr-defined]
    lane = data["lanes"][0]  # type: ignore[index]
    said = np.frombuffer(base64.b64decode(lane["said"]), np.uint8).reshape(lane["bins"], 8)
    odds = np.frombuffer(base64.b64decode(lane["odds"]), np.uint8).reshape(lane["bins"], 7)
    happy = STACKING.index(Emotion.HAPPY)
    assert (said[10, happy], said[10].sum(), odds[10, happy]) == (255, 255, round(0.94 * 255))
    gap = round(5 / chart.bin_s)
    assert not said[gap].any()
    assert said[:, 7].sum() / 255 * chart.bin_s == pytest.approx(2.0, abs=0.05)
    assert "<td>0:08</td><td>80 %</td>" in build_timeline(chart, "talk")


def test_names_from_outside_stay_text() -> None:
    page = build_timeline(collect(film("hhh")), "</title><script>alert(1)</script>")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    chart = collect(film("hhh"))
    assert draw_timeline(chart, "$\\nonsense$") != draw_timeline(chart, "nonsense")
    assert draw_timeline(chart, "会議.mp4") == draw_timeline(
        chart, "□□.mp4"
    )  # and no warning of letters without a form


def test_six_labels_have_no_disgust() -> None:
    six = Distribution(EMOTIONS_WITHOUT_DISGUST, [0.5, *[0.1] * 5])
    face = Face(Box(0, 0, 9, 9), 1.0, Emotion.ANGRY, 0.5, six, VOTES, track_id=1)
    chart = collect(Frame((face,), (9, 9), "m", "haar", index=i, time_s=i / 10) for i in range(9))
    assert chart.labels == EMOTIONS_WITHOUT_DISGUST
    assert "disgust" not in build_timeline(chart, "t")
    assert count_pixels(read_pixels(draw_timeline(chart, "t")), emotion_colour(Emotion.DISGUST)) == 0


@pytest.mark.parametrize("frames", [[], list(film("...."))])
def test_a_film_without_people_is_drawn_too(frames: list[Frame], tmp_path: Path) -> None:
    for name in ("t.png", "t.html"):
        plot_timeline(frames, tmp_path / name)
    assert "Nobody was seen" in (tmp_path / "t.html").read_text(encoding="utf-8")


def test_faces_that_got_no_number_are_told_where_there_are_no_lanes() -> None:
    frames = [
        replace(frame, faces=tuple(replace(f, track_id=None) for f in frame.faces)) for frame in film("hh.", "s..")
    ]
    chart = collect(iter(frames))
    assert (chart.lanes, chart.untracked) == ((), 3)
    assert describe_chart(chart) == "nobody for long enough (3 faces without a number) · 0:00"
    assert "<p>Nobody was seen for long enough (3 faces without a number).</p>" in build_timeline(chart, "t")
    assert describe_chart(collect(film("..."))) == "nobody · 0:00"


def test_nobody_is_shown_after_the_end_of_the_film() -> None:
    timeline = Timeline(end_s=12.0)
    for frame in film("hhh", step_s=5.0):
        timeline.add(frame)
    chart = timeline.finish()
    assert chart.seconds == pytest.approx(12)
    assert chart.lanes[0].seen_s == pytest.approx(12)


def test_files_are_named_by_their_ending_and_titled_by_the_film(tmp_path: Path) -> None:
    timeline = Timeline()
    for frame in film(*TWO, source="films/talk.mp4"):
        timeline.add(frame)
    plot_timeline(timeline, tmp_path / "deep" / "t.html")
    assert "<h1>talk.mp4</h1>" in (tmp_path / "deep" / "t.html").read_text(encoding="utf-8")
    plot_timeline(film(*TWO), tmp_path / "t.PNG", dark=True, title="x" * 300)
    assert (tmp_path / "t.PNG").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"\.pdf"):
        plot_timeline([], tmp_path / "t.pdf")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        plot_timeline([], tmp_path / "file" / "t.html")


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [(0, 0, "0:00"), (65.4, 0, "1:05"), (59.96, 1, "1:00.0"), (3605, 0, "1:00:05"), (7325.25, 2, "2:02:05.25")],
)
def test_times_read_like_a_clock(seconds: float, decimals: int, text: str) -> None:
    assert format_time(seconds, decimals=decimals) == text

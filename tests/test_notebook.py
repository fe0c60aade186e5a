"""What notebooks show: whole, harmless HTML that says what the values say."""

import re
from html.parser import HTMLParser

import pytest

from fervid.emotions import EMOTIONS, VOTE_LABELS, Emotion
from fervid.errors import ImageError
from fervid.notebook import MOST_FACES, build_table
from fervid.results import Analysis, Box, Distribution, Face, Failure, Frame
from fervid.tracking.summary import summarise

VOID = {"br", "rect"}


class Checker(HTMLParser):
    """Every element is closed; gathers the text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.names = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.names.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # noqa: ARG002
        self.names.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(value):
    html = value._repr_html_()
    checker = Checker(html)
    assert "script" not in checker.names
    assert "http" not in html
    return " ".join(" ".join(checker.text).replace("\N{NO-BREAK SPACE}", " ").split())


def make_face(emotion=Emotion.HAPPY, *, x=10.0, track=None, smoothed=None):
    values = [0.7 if label is (emotion or Emotion.SAD) else 0.05 for label in EMOTIONS]
    return Face(
        Box(x, 20, x + 60, 80), 0.9, emotion, 0.7, Distribution(EMOTIONS, values),
        Distribution(VOTE_LABELS, [1 / 8] * 8), track_id=track, smoothed=smoothed,
    )  # fmt: skip


def make_photo(*faces, source="a.jpg"):
    return Analysis(faces, (640, 480), "base@0123456789ab", "faces", source)


def test_a_photo_says_who_and_how():
    text = read(make_photo(make_face(), make_face(None, x=200)))
    assert "a.jpg · 2 faces · 640×480 px · base@0123456789ab · faces" in text
    assert "1 😊 happy 70 %" in text
    assert "2 uncertain , sad 70 %?" in text
    assert all(text.count(str(emotion)) >= 2 for emotion in EMOTIONS)


def test_boxes_stand_in_the_plan_where_they_stand_in_the_picture():
    html = make_photo(make_face(x=320), make_face(None, x=0))._repr_html_()
    scale = 180 / 640
    places = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"(.*?)/>', html)
    assert [float(value) for value in places[0][:4]] == pytest.approx(
        [320 * scale, 20 * scale, 60 * scale, 60 * scale], abs=0.06
    )
    assert "dasharray" not in places[0][4]
    assert "dasharray" in places[1][4]


def test_bars_are_as_long_as_the_probabilities():
    html = make_face()._repr_html_()
    assert re.findall(r"height:9px;width:([\d.]+)%", html) == ["5.0", "5.0", "5.0", "70.0", "5.0", "5.0", "5.0"]
    assert html.count("#2f6fd0") == 1  # the answer's bar
    assert make_face(None)._repr_html_().count("#2f6fd0") == 0


def test_a_frame_shows_its_time_its_people_and_what_the_answer_rests_on():
    smoothed = Distribution(EMOTIONS, [0.02, 0.02, 0.02, 0.88, 0.02, 0.02, 0.02])
    face = make_face(track=5, smoothed=smoothed)
    frame = Frame((face,), (640, 480), "small@0", "faces", "a.mp4", index=30, time_s=1.2)
    text = read(frame)
    assert "a.mp4 · frame 30, 1.200 s · 1 face" in text
    assert "person 5" in text
    assert "88 %" in text


def test_nobody_many_and_no_name():
    assert "nobody is there" in read(make_photo())
    assert "<svg" not in make_photo()._repr_html_()
    many = read(make_photo(*[make_face(x=10.0 * i) for i in range(MOST_FACES + 6)], source=None))
    assert many.startswith("30 faces")
    assert "… and 6 more" in many


def test_of_a_path_the_name_is_shown():
    assert read(make_photo(source="/home/me/photos/a.jpg")).startswith("a.jpg · nobody")


def test_names_are_text_not_html():
    assert "<b>x" not in make_photo(source="<b>x<b>.jpg")._repr_html_()
    assert "<b>x<b>.jpg" in read(make_photo(source="<b>x<b>.jpg"))
    failure = Failure("<i>.jpg", ImageError("<i>.jpg is damaged", advice="Save it again."))
    assert "<i>.jpg · input.image" in read(failure)
    assert "Save it again." in read(failure)


def test_a_film_is_a_table_of_people():
    frames = [
        Frame(
            (make_face(track=1), make_face(None, x=200, track=2)),
            (640, 480),
            "m@0",
            "faces",
            "a.mp4",
            index=i,
            time_s=i / 5,
        )
        for i in range(6)
    ]
    text = read(summarise(frames))
    assert text.startswith("a.mp4")
    assert "happy" in text
    assert "uncertain" in text
    assert "100 %" in text


def test_a_table_keeps_its_cells_apart():
    html = build_table(["t"], ["a", "b"], [["<1>", "2"]], "below")
    assert " ".join(Checker(html).text) == "t a b <1> 2 below"
    with pytest.raises(ValueError, match="zip"):
        build_table(["t"], ["a", "b"], [["1"]])

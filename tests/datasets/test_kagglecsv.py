import tempfile
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fervid.datasets.faceset import FaceRow, FaceSet
from fervid.datasets.kagglecsv import find_csv_split, iterate_csv, parse_pixels
from fervid.datasets.table import MAX_LINE, count_records, open_table
from fervid.errors import DatasetError, UsageError


def read(path, split=None):
    table = open_table(path)
    return list(iterate_csv(table, find_csv_split(table, split)))


def replace_field(line, index, value):
    fields = line.split(",")
    fields[index] = value
    return ",".join(fields)


def test_reads_kaggles_file(faces, lines, write_lines, same):
    path = write_lines("fer2013.csv", lines)
    same(FaceSet.from_rows(read(path)), faces)
    assert count_records(path) == len(faces)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_finds_columns_by_header_with_blanks_quotes_and_windows_line_ends(faces, lines, write_lines, same, order):
    header, *body = [[line.split(",")[i] for i in order] for line in lines]
    quoted = [", ".join(f'"{field}"' if " " in field else field for field in fields) for fields in body]
    path = write_lines("icml_face_data.csv", ["\ufeff" + ", ".join(header), *quoted], ending="\r\n")
    same(FaceSet.from_rows(read(path)), faces)


def test_ignores_blank_lines_and_further_columns(lines, write_lines):
    wider = [f"{line},x" for line in lines]
    path = write_lines("fer2013.csv", [wider[0], "", wider[1], "   ", wider[2], ""])
    assert [row.where.rsplit(", ")[-1] for row in read(path)] == ["line 3", "line 5"]


def test_accepts_names_of_emotions(lines, write_lines):
    path = write_lines("fer2013.csv", [lines[0], replace_field(lines[1], 0, "Happiness")])
    assert read(path)[0].emotion == 3


@given(arrays(np.uint8, (48, 48)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pixels_come_back(image):
    assert np.array_equal(parse_pixels(" ".join(map(str, image.ravel())), "here"), image)


@settings(deadline=None)
@given(st.text(max_size=12).filter(lambda word: not (word.isascii() and word.isdigit() and len(word) < 4)))
def test_no_other_word_is_a_pixel(word):
    text = " ".join(["7"] * 2303)
    with pytest.raises(DatasetError, match=r"^here: "):
        parse_pixels(f"{text} {word}", "here")


BAD_ROWS = {
    "too few pixels": (1, " ".join(["5"] * 2303), "2,303 pixels, not 2,304"),
    "too many pixels": (1, " ".join(["5"] * 2305), "2,305 pixels, not 2,304"),
    "no pixels": (1, "", "0 pixels"),
    "value above 255": (1, " ".join(["5"] * 2303 + ["256"]), "pixel 2303 is '256'"),
    "negative value": (1, " ".join(["-1"] + ["5"] * 2303), "pixel 0 is '-1'"),
    "no number": (1, " ".join(["5", "abc"] + ["5"] * 2302), "pixel 1 is 'abc'"),
    "fraction": (1, " ".join(["5.0"] + ["5"] * 2303), "pixel 0 is '5.0'"),
    "unknown label": (0, "7", "unknown label '7'"),
    "negative label": (0, "-1", "unknown label '-1'"),
    "no label": (0, "", "unknown label ''"),
    "unknown split": (2, "Testing", "unknown split 'Testing'"),
    "no split": (2, "", "unknown split ''"),
    "a field too many": (2, "Training,x", "4 fields, not 3"),
    "open quote": (1, '"5 5 5', "not CSV"),
    "endless line": (1, "5 " * MAX_LINE, "longer than 65,536 bytes"),
    "no text": (1, "\x00\udcff", "1 pixels"),
}


@pytest.mark.parametrize(("field", "value", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_and_spoils_no_other(lines, tmp_path, field, value, message):
    lines[3] = replace_field(lines[3], field, value)
    path = tmp_path / "fer2013.csv"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
    found = read(path)
    errors = [row for row in found if isinstance(row, DatasetError)]
    assert len(errors) == 1
    assert isinstance(found[2], DatasetError)
    assert str(errors[0]).startswith(f"{path}, line 4: {message}")
    assert len(found) == len(lines) - 1


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_truncated_file_never_gives_a_wrong_face(data):
    image = np.arange(48 * 48, dtype=np.uint8)
    pixels = " ".join(map(str, image))
    lines = [b"emotion,pixels,Usage\n", f"3,{pixels},Training\n".encode(), f"4,{pixels},PublicTest\n".encode()]
    cut = data.draw(st.integers(1, len(lines[2]) - 2), label="bytes of the last line that are left")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fer2013.csv"
        path.write_bytes(b"".join(lines)[: -len(lines[2]) + cut])
        whole, broken = read(path)
    assert isinstance(whole, FaceRow)
    assert isinstance(broken, DatasetError)
    assert f"{path}, line 3: " in str(broken)


def test_says_that_a_file_ends_inside_a_row(lines, tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join(lines)[:-5000])
    assert "line 29: 2 fields, not 3 (emotion, pixels, Usage); the file ends in this line" in str(read(path)[-1])


def test_a_missing_last_line_break_is_no_fault(faces, lines, tmp_path, same):
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join(lines))
    same(FaceSet.from_rows(read(path)), faces)
    assert count_records(path) == len(faces)


@pytest.mark.parametrize(("name", "split"), [("train.csv", 0), ("PublicTest.csv", 1), ("test.csv", 2)])
def test_without_usage_the_file_name_says_the_split(lines, write_lines, name, split):
    path = write_lines(name, [line.rsplit(",", 1)[0] for line in lines])
    assert {row.split for row in read(path)} == {split}


def test_without_usage_the_caller_can_say_the_split(lines, write_lines):
    short = [line.rsplit(",", 1)[0] for line in lines]
    with pytest.raises(DatasetError, match=r"no column Usage.*--split Training\|PublicTest"):
        read(write_lines("mine.csv", short))
    assert {row.split for row in read(write_lines("mine.csv", short), "PublicTest")} == {1}
    with pytest.raises(UsageError, match="names the split of each row"):
        read(write_lines("fer2013.csv", lines), "Training")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("pixels", "has no labels.*kept the labels"),
        ("emotion,image", "has no column pixels"),
        ("0,1 2 3,Training", "has no column pixels"),
        ("Usage,Image name,neutral,NF", "give it with --votes"),
        ("\x00\x01\x02", "is not the header of a CSV"),
        ('"emotion', "is not the header of a CSV"),
        ("", "line 1 is blank"),
    ],
)
def test_refuses_other_headers(write_lines, header, message):
    with pytest.raises(DatasetError, match=f"(?s){message}"):
        read(write_lines("file.csv", [header, "1,2,3"]))


def test_refuses_an_empty_and_a_missing_file(tmp_path):
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DatasetError, match="is empty"):
        open_table(tmp_path / "empty.csv")
    with pytest.raises(DatasetError, match="cannot open"):
        open_table(tmp_path / "absent.csv")

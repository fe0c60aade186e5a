"""What a report counts is what the tables hold."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.batch.csvreport import COLUMNS, build_csv
from fervid.batch.listing import Item
from fervid.batch.manifest import RunManifest
from fervid.batch.page import build_report
from fervid.batch.run import RunSummary
from fervid.batch.summary import Report, summarise
from fervid.batch.tables import Chunk, Reading, count_chunk, list_chunks, list_columns, read_done
from fervid.batch.tasks import Plan, Task
from fervid.emotions import EMOTIONS
from fervid.errors import InputError, UsageError

pytest.importorskip("duckdb")

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def result(
    tmp_path: Path, make_photos: Callable[..., Path], make_film: Callable[..., Path], run: Callable[..., RunSummary]
) -> Path:
    """Two folders of photos, some corrupt, and a film; written in two hours."""
    root = tmp_path / "it's <an> archive"
    for folder, hour in (("a", 3), ("b & c", 17)):
        make_photos(root / folder, 40, corrupt=20)
        for path in (root / folder).iterdir():
            os.utime(path, (hour * 3600 + 100, hour * 3600 + 100))
    film = make_film(root / "film.mp4", 4.0)
    os.utime(film, (3 * 3600, 3 * 3600))
    run(root, tmp_path / "out's")
    return tmp_path / "out's"


def test_counts_are_those_of_the_tables(result: Path, read_tables: Any) -> None:
    report, tables = summarise(result), read_tables(result)
    emotion = list_columns("faces").index("emotion")
    counted = Counter(row[emotion] for row in tables["faces"])
    total = report.total
    assert (total.inputs, total.failed, total.faces) == (81, 4, len(tables["faces"]))
    assert total.uncertain == counted[None]
    assert dict(zip(EMOTIONS, total.counts, strict=True)) == {e: counted[e] for e in EMOTIONS}
    for group in ("kind", "folder", "hour"):
        rows = report.list_group(group)
        assert sum(row.inputs for row in rows) == 81
        assert sum(row.faces for row in rows) == total.faces
        assert [sum(c) for c in zip(*(row.counts for row in rows), strict=True)] == list(total.counts)
    assert {row.name: row.inputs for row in report.list_group("hour")} == {"03": 41, "17": 40}
    assert {row.name for row in report.list_group("kind")} == {"photo", "film"}
    folders = {Path(row.name).name: row.inputs for row in report.list_group("folder")}
    assert folders == {"a": 40, "b & c": 40, "it's <an> archive": 1}
    sources = report.list_group("source")
    assert len(sources) == 20
    assert report.left_out == {"folder": 0, "source": 61}
    assert Path(sources[0].name).name == "film.mp4"
    assert [(f.code, f.count) for f in report.failures] == [("input.image", 4)]


def test_parts_of_undone_chunks_do_not_count(result: Path) -> None:
    import pyarrow.parquet as pq

    before = summarise(result).total
    part = next((result / "faces" / "kind=photo").glob("*.parquet"))
    rows, inputs = pq.ParquetFile(part).metadata.num_rows, pq.ParquetFile(result / "inputs" / part.name)
    (result / "inputs" / part.name).unlink()  # as if the driver had died before the last file of a chunk
    after = summarise(result).total
    assert rows > 0
    assert (after.faces, after.inputs) == (before.faces - rows, before.inputs - inputs.metadata.num_rows)


def test_csv_has_a_row_per_group(result: Path) -> None:
    report = summarise(result, top=2)
    rows = list(csv.reader(io.StringIO(build_csv(report))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 1 + len(report.rows)
    assert rows[1][:5] == ["all", "", "81", "4", str(report.total.faces)]


def test_the_page_says_all_of_it_and_runs_nothing(result: Path) -> None:
    report = summarise(result)
    page = build_report(report)
    assert "<script" not in page
    assert "<link" not in page
    assert page.count("<table") == page.count("</table>") == 5
    assert "it&#x27;s &lt;an&gt; archive" in page
    assert "<an>" not in page
    assert f"{report.total.faces:,}" in page
    assert '<th scope="row" class="name">b &amp; c</th>' in page  # from the source on
    assert page.count("<title>") == 1 + sum(row.faces > 0 for row in report.list_group("hour"))
    assert page.count('role="img"') == 2 + sum(len(report.list_group(g)) for g in ("kind", "folder", "hour", "source"))


def test_a_folder_without_a_run_is_refused(tmp_path: Path, result: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        summarise(tmp_path)
    for part in (result / "inputs").glob("*.parquet"):
        part.write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot count"):
        summarise(result)


def test_a_report_of_nothing_divides_by_nothing() -> None:
    from fervid.batch.manifest import RunManifest
    from fervid.batch.summary import GroupRow

    row = GroupRow("all", "", 1, 1, 0, 0, (0,) * 7)
    report = Report(Path("x"), RunManifest("s", {"model": "m", "detector": "d"}), 0, 0, (row,), {}, ())
    assert "no faces" in build_report(report)
    assert build_csv(report).splitlines()[1] == "all,,1,1,0,0,0,0,0,0,0,0,0"


def fill(out: Path, source: str, faces: int = 1, ns: int | None = 10**18) -> Path:
    """A result of one photo."""
    item = Item(source, "photo", 10, ns)
    chunk = Chunk(out, item.id, "photo")
    row = ("x", None, None, 0, None, 0.0, 0.0, 9.0, 9.0, 0.9, "happy", 0.8, *[1 / 7] * 7, "m")
    chunk.add_faces(item, (64, 48), [row] * faces)
    chunk.add(Reading(item, (64, 48), faces))
    chunk.commit()
    RunManifest("/p", {"model": "m", "detector": "d"}).write(out)
    return out


def test_a_folder_may_be_called_as_it_likes_and_a_time_may_be_unknown(tmp_path: Path) -> None:
    fill(tmp_path / "run1", "/p/a/1.jpg", faces=5)
    assert summarise(fill(tmp_path / "run[1]", "/p/a/2.jpg")).total.faces == 1
    found = summarise(fill(tmp_path / "source=cam1", "/p/a/3.jpg"))
    assert [row.name for row in found.list_group("source")] == ["/p/a/3.jpg"]
    assert [row.name for row in found.list_group("kind")] == ["photo"]
    (row,) = summarise(fill(tmp_path / "web", "https://x.org/a.jpg", ns=None)).list_group("hour")
    assert (row.name, row.inputs, row.faces) == ("unknown", 1, 1)


@pytest.mark.parametrize(
    ("ns", "hour"), [(-1_000, "23"), (-24 * HOUR_NS, "00"), (-18 * HOUR_NS - 1_000, "05"), (-HOUR_NS // 2, "23")]
)
def test_files_of_before_1970_have_an_hour(tmp_path: Path, ns: int, hour: str) -> None:
    (row,) = summarise(fill(tmp_path, "/p/a.jpg", ns=ns)).list_group("hour")
    assert row.name == hour


def test_names_that_are_no_utf8_are_escaped(tmp_path: Path) -> None:
    place = os.fsdecode(b"foto\xe9")
    out = fill(tmp_path / place, f"/p/{place}/a/1.jpg")
    Plan.write(out / "plan.parquet", [Task("photos", ())])
    assert Plan(out / "plan.parquet", 1).read(0) == next(iter(Plan(out / "plan.parquet", 1))) == Task("photos", ())
    assert read_done(out)[1] == count_chunk(out, next(list_chunks(out)))
    RunManifest(f"/p/{place}", {"model": "m", "detector": "d"}).write(out)
    report = summarise(out)
    assert report.total.faces == 1
    (row,) = report.list_group("folder")
    assert report.shorten(row.name) == "a"
    page = build_report(report)
    assert page.count("foto\\xe9") == 3  # title, heading, source
    page.encode()
    build_csv(report).encode()

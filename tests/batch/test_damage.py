"""What a power cut leaves is read again: parts of tables that are empty, cut or not there, and records of films."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.batch.films import is_recorded
from fervid.batch.listing import Item
from fervid.batch.run import RunSummary
from fervid.batch.tables import Chunk, Counts, Reading, list_chunks, read_done, remove_damaged, remove_leftovers
from fervid.errors import InputError

GOOD, BAD = "0123456789abcdef", "f" * 16

DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "empty": lambda _: b"",
    "cut": lambda data: data[:-9],
    "begun": lambda data: data[:5],
    "zeros": lambda data: bytes(len(data)),
    "no length": lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1",
    "missing": lambda _: None,
}


def fill(out: Path, name: str) -> Chunk:
    """A chunk of one photo with a face."""
    item = Item(f"/p/{name}.jpg", "photo", 10, 5)
    chunk = Chunk(out, name, "photo")
    row = ("x", None, None, 0, None, 0.0, 0.0, 9.0, 9.0, 0.9, "happy", 0.8, *[1 / 7] * 7, "m")
    chunk.add_faces(item, (64, 48), [row])
    chunk.add(Reading(item, (64, 48), 1))
    return chunk


def spoil(part: Path, damage: str) -> None:
    data = DAMAGES[damage](part.read_bytes())
    if data is None:
        part.unlink()
    else:
        part.write_bytes(data)


@pytest.mark.parametrize("table", ["faces/kind=photo", "failures", "inputs"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_chunk_of_which_a_part_is_damaged_is_not_done(table: str, damage: str, tmp_path: Path) -> None:
    for name in (GOOD, BAD):
        fill(tmp_path, name).commit()
    remove_damaged(tmp_path)
    assert sorted(list_chunks(tmp_path)) == [GOOD, BAD]
    spoil(tmp_path / table / f"{BAD}.parquet", damage)
    remove_damaged(tmp_path)
    remove_leftovers(tmp_path)
    assert {file.stem for file in tmp_path.rglob("*.parquet")} == {GOOD}
    assert read_done(tmp_path)[1] == Counts(1, 0, 1)


def test_a_list_that_is_damaged_within_is_named(tmp_path: Path) -> None:
    fill(tmp_path, BAD).commit()
    part = tmp_path / "inputs" / f"{BAD}.parquet"
    data = part.read_bytes()
    part.write_bytes(bytes(len(data) - 8) + data[-8:])
    remove_damaged(tmp_path)
    with pytest.raises(InputError, match=rf"cannot read .*inputs/{BAD}\.parquet"):
        read_done(tmp_path)


def test_a_run_goes_on_after_a_power_cut(
    tmp_path: Path, make_photos: Callable[..., Path], run: Callable[..., RunSummary], read_tables: Any
) -> None:
    source, out = make_photos(tmp_path / "photos", 8), tmp_path / "out"
    run(source, out, chunk=2)
    whole = read_tables(out)
    names = sorted(list_chunks(out))
    for name, table, damage in zip(
        names, ("inputs", "failures", "faces/kind=photo"), ("empty", "cut", "zeros"), strict=False
    ):
        spoil(out / table / f"{name}.parquet", damage)
    done = run(source, out, chunk=2)
    assert (done.new.inputs, done.all.inputs, done.stale) == (6, 8, 0)
    assert read_tables(out) == whole


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ('{"looks":[]}\n{"ends":null,"size":[4,4],"problems":[]}\n', True),
        ('{"empty":true}\n', True),
        ('{"looks":[]}\n{"error":{"code":"input"}}\n', True),
        ("", False),
        ('{"looks":[]}\n', False),
        ('{"looks":[]}\n{"ends":nu', False),
        ('\0\0\0\0\n{"ends":null}\n', False),
        ("\0\0\0\0", False),
        (None, False),
    ],
)
def test_a_record_is_whole_or_none(text: str | None, whole: bool, tmp_path: Path) -> None:
    record = tmp_path / "000001.jsonl"
    if text is not None:
        record.write_text(text)
    assert is_recorded(record) == whole

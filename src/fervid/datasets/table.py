"""CSV read line by line: one physical line is one record, so that a broken one spoils no other.

FER2013's and FER+'s files hold no field that spans lines.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fervid.errors import DatasetError
from fervid.wording import count_nouns

MAX_LINE: Final = 1 << 16
"""Bytes that a line may have; a line of FER2013 has at most 9.3 kB."""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV whose header has been read.

    Attributes:
        path: the file.
        columns: names in the header, stripped, in their order.
    """

    path: Path
    columns: tuple[str, ...]

    def find(self, name: str) -> int | None:
        """Index of a column, upper and lower case alike; None when there is none."""
        names = [column.lower() for column in self.columns]
        return names.index(name.lower()) if name.lower() in names else None

    def index(self, name: str) -> int:
        """Index of a column. Raises DatasetError when there is none."""
        found = self.find(name)
        if found is None:
            raise DatasetError(describe_lack(self.path, [name], self.columns))
        return found

    def records(self) -> Iterator[tuple[int, list[str] | DatasetError]]:
        """(Line number, stripped fields) of each line after the header; a bad line comes as its error.

        Blank lines are passed over.

        Raises:
            DatasetError: the file cannot be read any further.
        """
        number = 1
        try:
            with self.path.open("rb") as file:
                file.readline(MAX_LINE)
                while line := file.readline(MAX_LINE):
                    number += 1
                    record = self._parse(line, number)
                    if record is not None:
                        yield number, record
                    while not line.endswith(b"\n") and (line := file.readline(MAX_LINE)):
                        pass  # the rest of a line that is too long
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read after line {number} ({error.strerror})") from None

    def _parse(self, line: bytes, number: int) -> list[str] | DatasetError | None:
        where = f"{self.path}, line {number}"
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            return DatasetError(f"{where}: longer than {MAX_LINE:,} bytes", advice="Is it the right file?")
        text = line.decode("utf-8", errors="replace").strip("\r\n")
        if not text.strip():
            return None
        # Without a final line break the file may have been cut off here.
        ending = "" if line.endswith(b"\n") else "; the file ends in this line: is it complete?"
        try:
            fields = next(csv.reader([text], strict=True, skipinitialspace=True))
        except csv.Error as error:
            return DatasetError(f"{where}: not CSV ({error}){ending}")
        if len(fields) != len(self.columns):
            expected = f"not {len(self.columns)} ({', '.join(self.columns)})"
            return DatasetError(f"{where}: {count_nouns(len(fields), 'field')}, {expected}{ending}")
        return [field.strip() for field in fields]


def open_table(path: Path) -> Table:
    """Read the header of a CSV.

    Raises:
        DatasetError: the file cannot be opened, is empty, or its first line is no text.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(MAX_LINE)
    except OSError as error:
        raise DatasetError(f"cannot open {path} ({error.strerror})", advice="Check the path.") from None
    if not line.strip():
        raise DatasetError(f"{path} is empty" if not line else f"{path}, line 1 is blank, not a header")
    text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
    try:
        fields = next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error:
        fields = []
    if not fields or not text.isprintable():
        raise DatasetError(
            f"{path}, line 1 is not the header of a CSV", advice="Give a CSV whose first line names its columns."
        )
    return Table(path, tuple(field.strip() for field in fields))


def describe_lack(path: str | Path, columns: Sequence[str], found: Sequence[str] = ()) -> str:
    """``a.csv lacks the columns image, Usage; it has pixels``."""
    lack = f"{path} lacks the {'column' if len(columns) == 1 else 'columns'} {', '.join(columns)}"
    return f"{lack}; it has {', '.join(found)}" if found else lack


def count_records(path: Path) -> int:
    """Lines after the header, blank ones included."""
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return max(lines - (last == b"\n"), 0)

"""From what the user names (folder, glob, manifest, address) to inputs in a fixed order, each with an id that lasts."""

from __future__ import annotations

import csv
import errno
import glob
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Final, Literal

from fervid.batch.addresses import (
    drop_access,
    explain,
    find_file,
    is_address,
    is_lasting,
    is_web,
    leads_back,
    mask_secrets,
    open_file_system,
)
from fervid.errors import FervidError, InputError, MissingExtraError, UsageError, escape_bytes
from fervid.extras import require
from fervid.files import find_matches
from fervid.imaging import SUFFIXES as PHOTO_SUFFIXES
from fervid.video.library import FILM_SUFFIXES

MANIFEST_SUFFIXES: Final = frozenset({".csv", ".parquet"})
PATH_COLUMN: Final = "path"

_MACHINE: Final = frozenset(
    {
        *(errno.EHOSTDOWN, errno.EIO, errno.ENODEV, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    }
)
"""What a system says whose disc or share does not answer, or that is short of something: no fault of the file."""

Kind = Literal["photo", "film"]


@dataclass(frozen=True, slots=True)
class Item:
    """One photo or film.

    Attributes:
        source: its absolute path, or its address.
        kind: by the ending of its name.
        size: bytes; None where nobody says.
        modified_ns: when it was last written, ns since 1970; None where nobody says.
        etag: what an object store calls this version; empty elsewhere.
        answers: False for an address or a disc that did not answer when it was listed: without size and time it would
            be another input than the next time, so it is left to the next run.
    """

    source: str
    kind: Kind
    size: int | None = None
    modified_ns: int | None = None
    etag: str = ""
    answers: bool = True

    @property
    def id(self) -> str:
        """16 hex digits of path, size and version: another version of a file is another input.

        Another user, password or signature is not.
        """
        source = drop_access(self.source) if self.is_remote else self.source
        text = "\0".join((source, str(self.size), str(self.modified_ns), self.etag))
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()

    @property
    def shown(self) -> str:
        """The source as text that every file can hold: bytes that are no UTF-8 are escaped, secrets are left out."""
        return escape_bytes(mask_secrets(self.source) if self.is_remote else self.source)

    @property
    def is_remote(self) -> bool:
        """Whether fsspec reads it."""
        return is_address(self.source)

    def is_away(self, error: OSError) -> bool:
        """Whether a local file that was listed is not to be had for now, as its share is not mounted on this machine.

        One that has gone for good will not be listed again.
        """
        return self.size is not None and (isinstance(error, FileNotFoundError) or error.errno in _MACHINE)

    def to_list(self) -> list[Any]:
        """Plain values, as a plan carries them."""
        return [self.source, self.kind, self.size, self.modified_ns, self.etag, self.answers]

    @classmethod
    def from_list(cls, values: list[Any]) -> Item:
        """The item that :meth:`to_list` described."""
        return cls(*values)


def name_source(source: str) -> str:
    """The source as a run remembers it, the same from every folder it is started in, and without a password."""
    return mask_secrets(source) if is_address(source) else _make_absolute(source)


def find_suffix(source: str) -> str:
    """The ending of a file's name, lower case; of an address the one that says what it is, if there is any."""
    ending = PurePath(source).suffix.lower()
    if is_address(source):
        found = PurePath(find_file(source)).suffix.lower()
        return found if found in PHOTO_SUFFIXES | FILM_SUFFIXES else ending  # as of …/get?name=film.mp4
    return ending


def list_inputs(source: str) -> Iterator[Item]:
    """Every photo and film of ``source``, in an order that depends on names alone.

    Args:
        source: a folder (subfolders included), a glob, a file, a manifest (``.csv`` or ``.parquet`` with a column
            ``path``; relative ones count from the manifest's folder; repeated ones are taken once), or an address.

    Raises:
        UsageError: there is no such place, the manifest has no such column, or files at the address have no addresses
            of their own.
        InputError: it cannot be listed.
        MissingExtraError: fsspec is not installed.
    """
    if is_address(source):
        return _list_remote(source)
    path = Path(name_source(source))
    if path.is_dir():
        return _list_folder(str(path))
    if path.suffix.lower() in MANIFEST_SUFFIXES and path.is_file():
        return _list_manifest(path)
    if path.is_file():
        return iter([_describe_file(str(path))])
    if glob.has_magic(source):
        return (_describe_file(m) for m in find_matches(str(path)) if _is_wanted(m) and Path(m).is_file())
    raise UsageError(
        f"there is no {source}", advice="Give a folder, a glob, a manifest (.csv, .parquet) or an address."
    )


def _make_absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links stay: they are how the user knows the place


def _is_wanted(name: str) -> bool:
    return find_suffix(name) in PHOTO_SUFFIXES | FILM_SUFFIXES


def _tell_kind(name: str) -> Kind:
    return "film" if find_suffix(name) in FILM_SUFFIXES else "photo"


def _describe_file(path: str) -> Item:
    try:
        facts = Path(path).stat()
    except OSError as error:
        return Item(path, _tell_kind(path), answers=error.errno not in _MACHINE)  # reading it will fail, and say why
    except ValueError:  # a null byte; reading it will say so
        return Item(path, _tell_kind(path))
    return Item(path, _tell_kind(path), facts.st_size, facts.st_mtime_ns)


def _list_folder(folder: str) -> Iterator[Item]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        # Becomes a failure that says why, or is left to the next run; the other folders go on.
        yield Item(folder, "photo", answers=error.errno not in _MACHINE)
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _list_folder(entry.path)
        elif _is_wanted(entry.name):
            yield _describe_file(entry.path)


def _list_manifest(path: Path) -> Iterator[Item]:
    seen: set[int] = set()
    for name in _read_paths(path):
        if not name:
            continue
        item = _describe_remote(name) if is_address(name) else _describe_file(_make_absolute(str(path.parent / name)))
        key = int(item.id, 16)
        if key not in seen:
            seen.add(key)
            yield item


def _read_paths(path: Path) -> Iterator[str]:
    missing = UsageError(f"{path} has no column {PATH_COLUMN!r}", advice=f"Name the column of the files {PATH_COLUMN}.")
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = csv.DictReader(stream)
                if PATH_COLUMN not in (rows.fieldnames or ()):
                    raise missing
                for row in rows:
                    yield row[PATH_COLUMN] or ""
            return
        require("batch", "Reading Parquet", "pyarrow")
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Opened here: pyarrow takes no path that is no UTF-8.
        with path.open("rb") as content, pq.ParquetFile(content) as file:
            if PATH_COLUMN not in file.schema_arrow.names:
                raise missing
            kind = file.schema_arrow.field(PATH_COLUMN).type
            text = str(kind.value_type if isinstance(kind, pa.DictionaryType) else kind)
            if text not in ("string", "large_string", "string_view", "null"):
                raise UsageError(f"{path}: the column {PATH_COLUMN} is {kind}, not text", advice="Store it as strings.")
            for batch in file.iter_batches(columns=[PATH_COLUMN]):
                for value in batch.column(0).to_pylist():
                    yield value or ""
    except UsageError:
        raise
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's are ValueErrors
        raise InputError(f"cannot read {path} ({error})", advice="Give a CSV in UTF-8, or Parquet.") from None


def _list_remote(address: str) -> Iterator[Item]:
    system, root = open_file_system(address)
    shown, checked = mask_secrets(address), False
    try:
        is_file = system.isfile(root)  # before a pattern is looked for, whose signs names may hold
        if is_file and _is_wanted(address):
            listings = iter([[system.info(root)]])
        elif system.isdir(root):  # on the web, folders are files as well
            listings = _walk(system, root)
        elif is_file:
            listings = iter(())
        elif glob.has_magic(root.replace("?", "") if is_web(root) else root):
            found = system.glob(root, detail=True)
            listings = iter([[info for _, info in sorted(found.items()) if info["type"] == "file"]])
        else:
            raise UsageError(f"there is nothing at {shown}", advice="Check the address and your permissions.")
        for listing in listings:
            for info in listing:
                name = system.unstrip_protocol(info["name"])
                if _is_wanted(name):
                    if not checked and not leads_back(name, system):
                        raise UsageError(
                            f"{shown} cannot be searched: a file in it is listed as {mask_secrets(name)}, which "
                            "leads elsewhere",
                            advice="List the whole address of each file in a manifest, or copy them to a folder.",
                        )
                    checked = True  # what one leaves out, all do
                    item = _describe_info(name, info)
                    # A page of links says names alone; by these no other version of a file would be noticed.
                    says_nothing = item.size is None and item.modified_ns is None and not item.etag
                    yield _describe_remote(name) if says_nothing else item
    except FervidError:
        raise
    except Exception as error:  # every file system has kinds of its own, as for credentials that are missing
        raise InputError(
            f"cannot list {shown} ({explain(error)})", advice="Check the address and your permissions."
        ) from None


def _walk(system: Any, folder: str) -> Iterator[list[Mapping[str, Any]]]:
    """The files of one folder after another; no more than one listing per level is in memory."""
    entries = sorted(system.ls(folder, detail=True), key=lambda info: str(info["name"]))
    yield [info for info in entries if info["type"] == "file"]
    for info in entries:
        if info["type"] == "directory" and info["name"].rstrip("/") != folder.rstrip("/"):
            yield from _walk(system, info["name"])


def _describe_remote(address: str) -> Item:
    try:
        system, path = open_file_system(address)
        return _describe_info(address, system.info(path))
    except (MissingExtraError, UsageError):
        raise
    except Exception as error:  # every file system has kinds of its own
        return Item(address, _tell_kind(address), answers=is_lasting(error))  # reading it will fail, and say why


def _describe_info(address: str, info: Mapping[str, Any]) -> Item:
    when = next((info[key] for key in ("mtime", "LastModified", "updated", "last_modified") if info.get(key)), None)
    etag = next((str(info[key]) for key in ("ETag", "etag", "md5Hash") if info.get(key)), "")
    return Item(address, _tell_kind(address), info.get("size"), _read_time(when), etag)


def _read_time(when: object) -> int | None:
    """Nanoseconds since 1970 of what a file system says."""
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return None
    if isinstance(when, datetime):
        return round(when.timestamp() * 1_000_000) * 1000
    return round(when * 1_000_000) * 1000 if isinstance(when, int | float) else None

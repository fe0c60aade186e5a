"""Addresses that lose what they were opened with, passwords in them, and places that cannot be opened."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.batch.addresses import UnreachableError, leads_back, mask_passwords, open_file_system
from fervid.batch.listing import Item, list_inputs, name_source
from fervid.batch.manifest import RunManifest
from fervid.batch.remote import fetch
from fervid.batch.run import RunSummary
from fervid.batch.settings import Settings
from fervid.errors import InputError, UsageError

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def hosted() -> Any:
    """The store of ``hosted://user:password@host/…``, whose files do not say the host, as those of FTP do not."""
    from fsspec.implementations.memory import MemoryFileSystem

    class HostedFileSystem(MemoryFileSystem):  # type: ignore[misc]
        protocol = "hosted"
        store: dict[str, Any] = {}  # noqa: RUF012 - as fsspec has it
        pseudo_dirs = [""]  # noqa: RUF012

        def __init__(self, host: str, **options: Any) -> None:
            if host == "down":
                raise ConnectionRefusedError("connection refused")
            super().__init__(host=host, **options)

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.partition("://")[2].partition("/")[2] if "://" in path else path

        @staticmethod
        def _get_kwargs_from_urls(path: str) -> dict[str, str]:
            host = path.partition("://")[2].partition("/")[0].rpartition("@")[2]
            return {"host": host} if host else {}

        def unstrip_protocol(self, name: str) -> str:
            return f"hosted://{name}"

    fsspec.register_implementation("hosted", HostedFileSystem, clobber=True)
    return HostedFileSystem


@pytest.fixture
def archive(tmp_path: Path, make_photos: Callable[..., Path]) -> Path:
    """Two photos in a ZIP."""
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as file:
        for photo in sorted(make_photos(tmp_path / "photos", 2).iterdir()):
            file.write(photo, photo.name)
    return path


def test_a_place_whose_files_lose_it_is_refused(hosted: Any, archive: Path) -> None:
    system, _ = open_file_system("hosted://anna:secret@here/")
    system.pipe("/photos/a.jpg", b"picture")
    with pytest.raises(UsageError, match=r"hosted:///photos/a\.jpg, which leads elsewhere") as caught:
        list(list_inputs("hosted://anna:secret@here/photos"))
    assert "secret" not in str(caught.value)
    for address in (f"zip://::{archive}", f"zip://*.png::{archive}"):
        with pytest.raises(UsageError, match="leads elsewhere"):
            list(list_inputs(address))


def test_files_that_keep_their_place_are_listed(tmp_path: Path, make_photos: Callable[..., Path]) -> None:
    source = make_photos(tmp_path / "photos", 2)
    fsspec.filesystem("memory").put(str(source), "/kept", recursive=True)
    for address in (f"file://{source}", f"local://{source}", "memory://kept", "simplecache::memory://kept"):
        items = list(list_inputs(address))
        assert [Path(item.source).name for item in items] == ["00000.png", "00001.png"]
        assert all(fetch(item, lambda stream: stream.read()) for item in items)
    assert not leads_back("memory:///kept/00000.png", fsspec.filesystem("file"))
    fsspec.filesystem("memory").store.clear()


def test_whole_addresses_in_a_manifest_are_read_and_their_passwords_kept_nowhere(
    hosted: Any, archive: Path, tmp_path: Path, run: Callable[..., RunSummary], read_tables: Any
) -> None:
    system, _ = open_file_system("hosted://anna:secret@here/")
    system.pipe("/b.png", (tmp_path / "photos" / "00001.png").read_bytes())
    system.pipe("/c.png", b"no picture")
    paths = ["hosted://anna:secret@here/b.png", "hosted://anna:secret@here/c.png", "hosted://anna:secret@here/gone.png"]
    manifest, out = tmp_path / "list.csv", tmp_path / "out"
    manifest.write_text("\n".join(["path", *paths, "hosted://down/d.png", f"zip://00001.png::{archive}"]))
    done = run(manifest, out)
    assert (done.all.inputs, done.all.failed, done.unreachable) == (4, 2, 1)
    tables = read_tables(out)
    assert {row[1] for row in tables["failures"]} == {"hosted://here/c.png", "hosted://here/gone.png"}
    assert {row[0] for row in tables["faces"]} == {"hosted://here/b.png", f"zip://00001.png::{archive}"}
    assert "secret" not in repr(tables)


def test_a_run_remembers_an_address_without_its_password(tmp_path: Path) -> None:
    settings = Settings(model="small", detector="faces")
    begun = RunManifest.begin(name_source("https://anna:secret@x.org/a"), settings)
    begun.write(tmp_path)
    assert "secret" not in (tmp_path / "run.json").read_text()
    RunManifest.begin("https://anna:secret@x.org/a", settings).write(tmp_path)  # as an older version wrote it
    before = RunManifest.read(tmp_path)
    assert before is not None
    before.check(begun, tmp_path)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ftp://anna:se@cret@x.org/a@b.jpg", "ftp://x.org/a@b.jpg"),
        ("HTTPS://token@x.org/a.jpg", "HTTPS://x.org/a.jpg"),
        ("https://x.org:80/a@b:c@d.jpg", "https://x.org:80/a@b:c@d.jpg"),
        ("zip://a.jpg::sftp://anna:secret@x.org/a.zip", "zip://a.jpg::sftp://x.org/a.zip"),
        ("abfs://container@account.net/a.jpg", "abfs://container@account.net/a.jpg"),
        ("no answer from http://anna:secret@x.org: ask me@y.org", "no answer from http://x.org: ask me@y.org"),
        ("s3://bucket/a.jpg", "s3://bucket/a.jpg"),
    ],
)
def test_passwords_are_left_out(text: str, masked: str) -> None:
    assert mask_passwords(text) == masked
    assert Item(text, "photo").shown == masked


def test_what_cannot_be_opened_is_said(hosted: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"hosted:///a\.jpg cannot be opened .*'host'"):
        open_file_system("hosted:///a.jpg")
    with pytest.raises(UnreachableError, match=r"cannot open hosted://down/a \(connection refused\)"):
        open_file_system("hosted://anna:secret@down/a")
    for place in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(InputError, match="cannot open zip://") as caught:
            open_file_system(f"zip://::{place}")
        assert not isinstance(caught.value, UnreachableError)

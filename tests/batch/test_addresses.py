"""Addresses that lose what they were opened with, passwords in them, and places that cannot be opened."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.batch.addresses import UnreachableError, find_file, leads_back, mask_secrets, open_file_system
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


def test_a_run_of_an_address_that_is_signed_anew_is_the_same() -> None:
    settings = Settings(model="small", detector="faces")

    def begin(source: str) -> RunManifest:
        return RunManifest.begin(name_source(source), settings)

    signed = "https://x.org/film.mp4?X-Amz-Date={0}&X-Amz-Signature={0}"
    begin(signed.format(1)).check(begin(signed.format(22)), Path("out"))
    with pytest.raises(UsageError, match="source"):
        begin("/p/a?token=1").check(begin("/p/a?token=2"), Path("out"))


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
        (
            "https://x.org/a.jpg?w=5&X-Amz-Signature=ab%2F&key=5&user=me#t=1",
            "https://x.org/a.jpg?w=5&X-Amz-Signature=***&key=5&user=me#t=1",
        ),
        ("zip://a.jpg::https://x.org/a.zip?TOKEN=abc", "zip://a.jpg::https://x.org/a.zip?TOKEN=***"),
        ("simplecache::https://x.org/a?sig=abc::s3://a/b", "simplecache::https://x.org/a?sig=***::s3://a/b"),
        ("403 of https://x.org/a?password=abc (forbidden)", "403 of https://x.org/a?password=*** (forbidden)"),
    ],
)
def test_passwords_are_left_out(text: str, masked: str) -> None:
    assert mask_secrets(text) == masked
    assert Item(text, "photo").shown == masked


def test_another_password_or_signature_is_no_other_input() -> None:
    def number(source: str) -> str:
        return Item(source, "photo", 10, 5).id

    assert number("ftp://anna:old@x.org/a.jpg") == number("ftp://anna:new@x.org/a.jpg") == number("ftp://x.org/a.jpg")
    signed = "https://x.org/a.jpg?w=1&X-Amz-Date={0}&X-Amz-Expires={0}&X-Amz-Credential={0}&X-Amz-Signature={0}"
    assert number(signed.format(1)) == number(signed.format(22)) != number(signed.replace("w=1", "w=2"))
    shared = "https://x.org/a.jpg?sv=1&se={0}&sig={0}"
    assert number(shared.format(1)) == number(shared.format(22)) == number("https://x.org/a.jpg")
    assert number("https://x.org/a.jpg?Signature=1&Policy=1") == number("https://x.org/a.jpg?Signature=2&Policy=2")
    # What may tell two photos apart stays, and so do the numbers of inputs that are done.
    for name in ("key", "token", "secret", "api_key", "password", "sv"):
        assert number(f"https://x.org/get.jpg?{name}=1") != number(f"https://x.org/get.jpg?{name}=2")
    assert number("https://x.org/a.jpg?size=2&key=5&se=5") == "f4cd630d3278a45e"
    assert number("/p/a?token=1.jpg") == "ee6f2884e6f1404c"


def test_a_run_goes_on_with_another_password(
    hosted: Any, archive: Path, tmp_path: Path, run: Callable[..., RunSummary]
) -> None:
    system, _ = open_file_system("hosted://here/")
    system.pipe("/b.png", (tmp_path / "photos" / "00001.png").read_bytes())
    manifest, out = tmp_path / "list.csv", tmp_path / "out"
    for password, new in (("old", 1), ("new", 0)):
        manifest.write_text(f"path\nhosted://anna:{password}@here/b.png\n")
        done = run(manifest, out)
        assert (done.new.inputs, done.all.inputs, done.stale) == (new, 1, 0)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("s3://bucket/a b?#.mp4", "bucket/a b?#.mp4"),
        ("https://x.org/film.mp4?sig=a.b/c#t=5", "x.org/film.mp4"),
        ("zip://film.mp4::/data/archive.zip", "film.mp4"),
        ("zip://::/data/archive.zip", "/data/archive.zip"),
        ("simplecache::https://x.org/film.mp4?x=1", "x.org/film.mp4"),
        ("simplecache::zip://film.mp4::s3://bucket/archive.zip", "film.mp4"),
    ],
)
def test_the_file_of_an_address(address: str, name: str) -> None:
    assert find_file(address) == name


@pytest.mark.parametrize("protocol", ["s3", "gs", "abfs", "hosted"])
def test_listings_are_remembered_where_a_lookup_needs_them(
    hosted: Any, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, protocol, hosted)  # most stores are not installed
    for address in (f"{protocol}://here/photos", f"simplecache::{protocol}://here/photos"):
        system, _ = open_file_system(address)
        system = getattr(system, "fs", system)
        system.dircache["/photos"] = [{"name": "/photos/a.jpg"}]
        assert ("/photos" in system.dircache) == (protocol == "hosted")
        system.dircache.clear()


def test_a_file_system_that_knows_no_such_option_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    class StubbornFileSystem(MemoryFileSystem):  # type: ignore[misc]
        protocol = "s3"

        def __init__(self) -> None:
            super().__init__()

    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, "s3", StubbornFileSystem)
    assert isinstance(open_file_system("s3://a.jpg")[0], StubbornFileSystem)


def test_what_cannot_be_opened_is_said(hosted: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"hosted:///a\.jpg cannot be opened .*'host'"):
        open_file_system("hosted:///a.jpg")
    with pytest.raises(UnreachableError, match=r"cannot open hosted://down/a \(connection refused\)"):
        open_file_system("hosted://anna:secret@down/a")
    for place in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(InputError, match="cannot open zip://") as caught:
            open_file_system(f"zip://::{place}")
        assert not isinstance(caught.value, UnreachableError)

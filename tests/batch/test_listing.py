"""Folders, globs, manifests and addresses become inputs in a fixed order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.batch import listing
from fervid.batch.listing import Item, list_inputs
from fervid.batch.run import RunSummary
from fervid.errors import InputError, UsageError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Five inputs and two other files."""
    folder = tmp_path / "archive"
    for name in ("b/2.jpg", "b/10.JPG", "a/film.MP4", "a/note.txt", "z.png", "c/d/e.webp", "list.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * len(name))
    return folder


def names(items: Any, root: Path) -> list[str]:
    return [str(Path(item.source).relative_to(root)) for item in items]


def test_a_folder_is_searched_in_the_order_of_names(archive: Path) -> None:
    items = list(list_inputs(str(archive)))
    assert names(items, archive) == ["a/film.MP4", "b/10.JPG", "b/2.jpg", "c/d/e.webp", "z.png"]
    assert [item.kind for item in items] == ["film", "photo", "photo", "photo", "photo"]
    assert items[0].size == len("a/film.MP4")
    assert items[0].modified_ns == (archive / "a/film.MP4").stat().st_mtime_ns


def test_globs_and_single_files(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names(list_inputs(str(archive / "**" / "*.[jJ]*")), archive) == ["b/10.JPG", "b/2.jpg"]
    assert names(list_inputs(str(archive / "**" / "**" / "*.jpg")), archive) == ["b/2.jpg"]
    monkeypatch.chdir(archive)
    assert names(list_inputs("b/*"), archive) == ["b/10.JPG", "b/2.jpg"]
    assert names(list_inputs("z.png"), archive) == ["z.png"]


def test_links_that_lead_back_up_lead_nowhere(archive: Path) -> None:
    """Two of them double the ways at each of the 40 steps that a system goes along."""
    for link in ("a/up", "b/up"):
        (archive / link).symlink_to(archive)
    assert names(list_inputs(str(archive / "**" / "*.[jJ]*")), archive) == ["b/10.JPG", "b/2.jpg"]
    assert names(list_inputs(str(archive / "b" / "*" / "**" / "*.png")), archive) == ["b/up/z.png"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_names_files_once(archive: Path, suffix: str) -> None:
    paths = ["z.png", str(archive / "b/2.jpg"), "z.png", "./z.png", "gone.jpg", "list.json"]
    manifest = archive / f"manifest{suffix}"
    if suffix == ".csv":
        lines = "\n".join(f'{number},"{path}"' for number, path in enumerate(paths))
        manifest.write_text(f"\ufeffnumber,path\n{lines}\n", encoding="utf-8")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"number": range(6), "path": paths}), manifest)
    items = list(list_inputs(str(manifest)))
    assert names(items, archive) == ["z.png", "b/2.jpg", "gone.jpg", "list.json"]
    assert items[2].size is None


def test_a_manifest_without_the_column_is_refused(archive: Path) -> None:
    (archive / "manifest.csv").write_text("file\nz.png\n")
    with pytest.raises(UsageError, match="no column 'path'"):
        list(list_inputs(str(archive / "manifest.csv")))
    (archive / "broken.parquet").write_bytes(b"PAR?")
    with pytest.raises(InputError, match="cannot read"):
        list(list_inputs(str(archive / "broken.parquet")))


def test_another_version_of_a_file_is_another_input() -> None:
    item = Item("/a.jpg", "photo", 10, 5)
    ids = {item.id, Item("/a.jpg", "photo", 11, 5).id, Item("/a.jpg", "photo", 10, 6).id, Item("/b.jpg", "photo").id}
    assert len(ids) == 4
    assert Item.from_list(item.to_list()) == item


def test_addresses_are_listed_and_read(
    tmp_path: Path,
    make_photos: Callable[..., Path],
    make_film: Callable[..., Path],
    run: Callable[..., RunSummary],
    read_tables: Any,
) -> None:
    fsspec = pytest.importorskip("fsspec")
    source = make_photos(tmp_path / "photos", 40, corrupt=20)
    make_film(source / "films" / "film.mp4", 3.0)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.put(str(source), "/bucket", recursive=True)
    done = run("memory://bucket", tmp_path / "out")
    run(source, tmp_path / "local")
    here, there = read_tables(tmp_path / "local"), read_tables(tmp_path / "out")
    assert done.all.inputs == 41
    assert done.all.failed == 2
    for name in ("faces", "failures"):
        assert len(here[name]) == len(there[name]) > 0
    assert {row[1] for row in there["inputs"]} == {
        f"memory:///bucket/{path.relative_to(source)}" for path in source.rglob("*.*")
    }
    assert Counter(row[4:19] for row in here["faces"]) == Counter(row[4:19] for row in there["faces"])
    assert run("memory://bucket", tmp_path / "out").new.inputs == 0
    assert names(list_inputs("memory://bucket/0000*.png"), Path("memory:/bucket"))[:2] == ["00000.png", "00001.png"]
    with pytest.raises(UsageError, match="nothing at"):
        list(list_inputs("memory://elsewhere"))
    memory.store.clear()


def test_names_that_look_like_patterns_are_no_patterns() -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.store.clear()
    for name in ("trip [2024]/a.jpg", "trip [2024]/b*.jpg", "trip 2/c.jpg"):
        memory.pipe(f"/bucket/{name}", b"picture")
    trip = Path("memory:/bucket/trip [2024]")
    assert names(list_inputs("memory://bucket/trip [2024]"), trip) == ["a.jpg", "b*.jpg"]
    assert names(list_inputs("memory://bucket/trip [2024]/b*.jpg"), trip) == ["b*.jpg"]
    assert names(list_inputs("memory://bucket/trip [12]/*.jpg"), Path("memory:/bucket")) == ["trip 2/c.jpg"]
    memory.store.clear()


def test_a_query_is_no_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    class Web:
        def isfile(self, _: str) -> bool:
            return False

        isdir = isfile

    monkeypatch.setattr(listing, "open_file_system", lambda address: (Web(), address))
    with pytest.raises(UsageError, match=r"nothing at https://x\.org/a\.jpg\?sig=\*\*\*"):
        list(list_inputs("https://x.org/a.jpg?sig=1"))


def test_a_page_of_names_is_asked_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Page:
        """As fsspec's of the web: a folder is a file, too, and its listing says nothing but names."""

        def isfile(self, _: str) -> bool:
            return True

        def isdir(self, path: str) -> bool:
            return path.endswith("/")

        def ls(self, path: str, **_: Any) -> list[dict[str, Any]]:
            return [{"name": f"{path}{name}", "size": None, "type": "file"} for name in ("a.jpg?w=1", "note.txt")]

        def info(self, path: str) -> dict[str, Any]:
            return {"name": path, "size": 10, "ETag": "v2", "type": "file"}

        def unstrip_protocol(self, name: str) -> str:
            return name

        storage_options: dict[str, Any] = {}  # noqa: RUF012 - as fsspec has it

    page = Page()
    monkeypatch.setattr(listing, "open_file_system", lambda address: (page, address))
    monkeypatch.setattr(listing, "leads_back", lambda *_: True)
    (item,) = list_inputs("https://x.org/photos/")
    assert item == Item("https://x.org/photos/a.jpg?w=1", "photo", 10, None, "v2")


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("zip://film.mp4::/data/archive.zip", "film"),
        ("https://x.org/film.mp4?X-Amz-Signature=a.jpg", "film"),
        ("https://x.org/film.MP4#t=5", "film"),
        ("https://x.org/get?name=film.mp4", "film"),
        ("https://x.org/a.jpg?poster=film.mp4", "photo"),
        ("zip://a.jpg::/data/film.mp4", "photo"),
        ("s3://bucket/a.jpg#film.mp4", "film"),
        ("/p/a.jpg?film.mp4", "film"),
        ("/p/a.mp4::b.jpg", "photo"),
    ],
)
def test_a_film_is_one_wherever_it_lies(source: str, kind: str) -> None:
    assert listing._tell_kind(source) == kind
    assert (listing.find_suffix(source) == ".mp4") == (kind == "film")


def test_what_a_store_says_in_its_own_kind_of_error_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class CredentialsError(Exception):
        """As those of botocore, aiohttp and google.auth: no OSError."""

    class Store:
        def __getattr__(self, name: str) -> Any:
            def refuse(*_: Any, **__: Any) -> None:
                raise CredentialsError("unable to locate credentials")

            return refuse

    monkeypatch.setattr(listing, "open_file_system", lambda address: (Store(), address))
    with pytest.raises(InputError, match=r"cannot list s3://bucket \(unable to locate credentials\)"):
        list(list_inputs("s3://bucket"))


@pytest.mark.parametrize("values", [[b"a.jpg"], [5]])
def test_a_manifest_whose_paths_are_no_text_is_refused(values: list[Any], tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"path": values}), tmp_path / "m.parquet")
    with pytest.raises(UsageError, match="not text"):
        list(list_inputs(str(tmp_path / "m.parquet")))

import hashlib
import http.client
import os
from pathlib import Path

import pytest

from fervid.errors import ContractError, IntegrityError, ModelError, UnknownModelError
from fervid.models import store
from fervid.models.runtime import create_session
from fervid.models.store import ModelFile, PublishedFile, fetch, find_published, list_bundled, load_model, locate


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_yunet: None) -> PublishedFile:
    """A small file that is published in a folder of this machine."""
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "tiny.onnx"
    source.write_bytes(b"tiny model")
    entry = PublishedFile("tiny", "detector", "tiny.onnx", hashlib.sha256(b"tiny model").hexdigest(), source.as_uri())
    monkeypatch.setattr(store, "EXTERNAL", (entry,))
    return entry


def test_every_bundled_file_is_the_published_one_and_small() -> None:
    assert "base" in [entry.name for entry in list_bundled()]
    for entry in list_bundled():
        file = load_model(entry.name)
        assert file.sha256 == hashlib.sha256(file.data).hexdigest() == entry.sha256
        assert file.identity == f"{entry.name}@{entry.sha256[:12]}"
        assert len(file.data) <= 6_000_000
        assert (store.BUNDLED / f"{entry.name}.md").is_file(), "every bundled model has its card"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"'bace'.*base.*yunet"):
        load_model("bace")
    with pytest.raises(UnknownModelError, match=r"absent\.onnx"):
        load_model("absent.onnx")


def test_a_name_that_is_no_utf8_can_be_written_everywhere(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"m\xe9.onnx")
    path.write_bytes(b"a model")
    file = load_model(path)
    assert file.identity == rf"m\xe9@{file.sha256[:12]}"


def test_a_changed_file_is_never_loaded(
    published: PublishedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERVID_MODEL_DIR", str(tmp_path / "named"))
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "tiny.onnx").write_bytes(b"tiny model!")
    with pytest.raises(IntegrityError, match=r"fervid models pull tiny"):
        load_model("tiny")


def test_fetching_once_keeps_a_checked_file(published: PublishedFile, tmp_path: Path) -> None:
    assert locate(published) is None
    with pytest.raises(ModelError, match="fervid models pull tiny"):
        load_model("tiny")
    path = fetch("tiny")
    assert path == locate(published)
    assert path.is_relative_to(tmp_path / "cache")
    (tmp_path / "source" / "tiny.onnx").unlink()
    assert fetch("tiny") == path  # nothing is asked for twice
    assert load_model("tiny").data == b"tiny model"


def test_what_arrives_changed_is_not_kept(published: PublishedFile, tmp_path: Path) -> None:
    (tmp_path / "source" / "tiny.onnx").write_bytes(b"something else")
    with pytest.raises(IntegrityError, match=r"sent another file than tiny.*nothing was kept"):
        fetch("tiny")
    assert locate(published) is None
    assert list(tmp_path.rglob("*.part")) == []


def test_no_network_gives_the_way_around(published: PublishedFile, tmp_path: Path) -> None:
    (tmp_path / "source" / "tiny.onnx").unlink()
    with pytest.raises(ModelError, match=r"put tiny\.onnx into a folder.*FERVID_MODEL_DIR"):
        fetch("tiny")


def test_an_answer_that_breaks_off_is_no_traceback(
    published: PublishedFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise http.client.IncompleteRead(b"tiny")

    monkeypatch.setattr("urllib.request.urlopen", break_off)
    with pytest.raises(ModelError, match="cannot fetch tiny"):
        fetch("tiny")


def test_a_cache_that_cannot_be_written_is_named(published: PublishedFile) -> None:
    store.cache_folder().parent.mkdir(parents=True, exist_ok=True)
    store.cache_folder().write_text("a file where the folder should be")
    with pytest.raises(ModelError, match=r"cannot keep tiny in .*FERVID_MODEL_DIR"):
        fetch("tiny")


def test_yunet_is_pinned_by_digest() -> None:
    entry = find_published("yunet")
    assert entry.sha256 == "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
    assert entry.url.startswith("https://")


def test_bytes_that_are_no_model_break_the_contract() -> None:
    with pytest.raises(ContractError, match="broken is no usable ONNX model"):
        create_session(ModelFile("broken", b"not a model", "0" * 64))

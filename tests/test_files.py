import glob
import os
from pathlib import Path

import pytest

from fervid.errors import OutputError, UsageError
from fervid.files import check_destinations, explain_failures, find_matches, open_text, write_atomically, write_file


def test_a_file_appears_whole_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    with write_atomically(path) as part:
        part.write_text("x")
        assert not path.exists()
    assert path.read_text() == "x"
    assert list(path.parent.iterdir()) == [path]


def test_those_who_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / f"{240 * 'x'}.txt"  # with as long a name as a file may have, nearly
    with write_atomically(path) as first:
        first.write_text("first")
        with write_atomically(path) as second:
            second.write_text("second")
            assert first.read_text() == "first"
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_part(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "b.txt"
    path.write_text("old")

    def fail() -> None:
        with write_atomically(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_stdout_is_a_place_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("-", str(tmp_path / "new" / "a.txt")):
        with open_text(place) as stream:
            stream.write("a\nß\n")
    assert capsys.readouterr().out == "a\nß\n"
    assert (tmp_path / "new" / "a.txt").read_bytes() == "a\nß\n".encode()


def test_a_closed_stdout_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(OutputError, match=r"cannot write stdout \(it is closed\)"), open_text("-"):
        pytest.fail("nothing can be written there")


def test_failures_name_their_place_and_a_reader_that_left_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*a\.txt"), open_text(str(tmp_path / "file" / "a.txt")):
        pytest.fail("there is no such folder")
    with pytest.raises(OutputError, match="cannot write stdout"), explain_failures("-"):
        raise OSError(28, "No space left on device")
    with pytest.raises(BrokenPipeError), open_text(str(tmp_path / "a.txt")):
        raise BrokenPipeError
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OutputError, match="it is a folder, a device or a pipe"), open_text(str(tmp_path / name)):
            pytest.fail("nothing can be written there")
        with pytest.raises(UsageError, match="it is a folder, a device or a pipe"):
            check_destinations({"--csv": str(tmp_path / name)}, tables=(), media=())
    with pytest.raises(UsageError, match="--csv is empty"):
        check_destinations({"--csv": ""}, tables=(), media=())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real.txt")
    for text in ("new", "newer"):
        write_file(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real.txt").read_text() == text


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders within folders, a hidden one, and names that look like patterns; where the test runs."""
    for name in ("1.x", "a/2.x", "a/b/3.x", "a/b/c/4.y", ".hidden/5.x", "[1]/6.x", "a/.7.x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "*", "*.x", "./*.x", "**/*.x", "**/**/*", "a/**/*.x", "a/**/b/**/*", "**/b/*", "*/**/c/*.y", ".hidden/**/*.x",
        "**/../*.x", "**/none", "none/**/*.x", "1.x/**/*", "a/b", "**/[[]1]/*", "a/.*",
    ],
)  # fmt: skip
def test_a_pattern_means_what_it_means_to_glob(tree: Path, pattern: str) -> None:
    for start in ("", f"{tree}/"):
        expected = {str(Path(path)) for path in glob.glob(start + pattern, recursive=True)}  # noqa: PTH207
        assert find_matches(start + pattern) == sorted(expected)
    assert find_matches("a/**") == find_matches("a/**/*")


def test_a_folder_is_entered_once_whatever_leads_there(tree: Path) -> None:
    for link, target in {
        "0": "a/b",
        "a/up": ".",
        "a/b/up": ".",
        "a/b/round": "a/b/round",
        "[1]/out": ".hidden",
    }.items():
        (tree / link).symlink_to(tree / target)
    assert find_matches("**/*.x") == ["1.x", "[1]/6.x", "[1]/out/5.x", "a/2.x", "a/b/3.x"]
    assert find_matches("0/**/*.y") == ["0/c/4.y"]
    assert find_matches("**/up/*.x") == ["a/b/up/1.x", "a/up/1.x"]

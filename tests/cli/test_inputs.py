"""Which pictures the arguments of ``fervid image`` mean, and which files are made of them."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fervid.cli.inputs import collect_pictures, plan_outputs
from fervid.errors import UsageError


def test_folders_globs_and_repeats_are_expanded_in_order(folder: Path) -> None:
    pictures = collect_pictures([str(folder), str(folder / "*.png"), str(folder / "absent.jpg")])
    assert [p.source.relative_to(folder).as_posix() for p in pictures] == [
        "a.png", "bad.jpg", "inner/a.png", "absent.jpg",
    ]  # fmt: skip
    (folder / "none").mkdir()
    with pytest.raises(UsageError, match="has no pictures"):
        collect_pictures([str(folder / "none")])


def test_each_file_is_read_once_whatever_way_leads_to_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("up", "again"):  # ** would go from one to the other, and never end
        (folder / "inner" / name).symlink_to(folder)
    (folder / "z.png").symlink_to(folder / "a.png")
    monkeypatch.chdir(folder)
    for arguments, expected in (
        (["./a.png", str(folder / "a.png"), "inner/../a.png", "z.png"], ["a.png"]),
        (["**/*.png"], ["a.png", "inner/a.png"]),
        ([".", "inner/up"], ["a.png", "bad.jpg", "inner/a.png"]),
    ):
        assert [str(picture.source) for picture in collect_pictures(arguments)] == expected


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder one that cannot be listed; permissions would not stop root."""

    def close(place: Path) -> None:
        scan = os.scandir

        def refuse(path: str | Path = ".") -> Any:
            if Path(path) == place:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return close


def test_a_folder_that_cannot_be_listed_fails_like_a_bad_file(
    call_fervid: Any, close: Callable[[Path], None], folder: Path, tmp_path: Path
) -> None:
    (folder / "bad.jpg").unlink()
    close(folder / "inner")
    done = call_fervid("image", folder, "--annotate", "--json", "-", "-o", tmp_path / "out", "--detector", "haar")
    assert done.returncode == 3
    assert f"1 of 2 pictures failed:\n  {folder / 'inner'} is a folder" in done.stderr
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == [
        str(folder / name) for name in ("a.png", "inner")
    ]
    assert (tmp_path / "out" / "a.annotated.png").is_file()


def test_a_named_folder_that_cannot_be_listed_is_not_said_to_be_empty(
    close: Callable[[Path], None], folder: Path
) -> None:
    close(folder)
    assert [picture.source for picture in collect_pictures([str(folder)])] == [folder]


def test_linked_folders_are_entered_once(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    for name in ("o.png", "deep/p.png"):
        (outside / name).touch()
    for link, target in {"0": "inner", "again": "../outside", "lnk": "../outside", "inner/up": ".."}.items():
        (folder / link).symlink_to(target)
    (outside / "round").symlink_to(folder)
    pictures = collect_pictures([str(folder)])
    assert [picture.source.relative_to(folder).as_posix() for picture in pictures] == [
        "a.png", "again/deep/p.png", "again/o.png", "bad.jpg", "inner/a.png",
    ]  # fmt: skip
    assert [str(picture.relative) for picture in pictures] == [".", "again/deep", "again", ".", "inner"]


def test_a_link_that_leads_nowhere_is_a_picture_that_fails(folder: Path) -> None:
    (folder / "gone.png").symlink_to(folder / "moved.png")
    os.mkfifo(folder / "pipe.png")  # this is no picture
    pictures = collect_pictures([str(folder)])
    assert [picture.source.name for picture in pictures] == ["a.png", "bad.jpg", "gone.png", "a.png"]


def test_what_is_read_once_cannot_be_drawn_on(call_fervid: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for option in ("--annotate", "--emoji", "--explain"):
        done = call_fervid("image", tmp_path / "pipe", option, "-o", tmp_path)  # nobody writes: to open it would hang
        assert done.returncode == 2
        assert "pipe is no file, and cannot be read a second time" in done.stderr
    assert plan_outputs(collect_pictures([str(tmp_path / "pipe")]), tmp_path) == [{}]


def test_no_two_pictures_are_saved_under_one_name(tmp_path: Path) -> None:
    pictures = collect_pictures([f"{place}/team.{suffix}" for place in "ab" for suffix in ("jpg", "bmp", "gif")])
    plans = plan_outputs(pictures, tmp_path, annotate=True, emoji=True, explain=True)
    names = [path for plan in plans for path in plan.values()]
    assert len(set(names)) == len(names) == 18
    assert plans[0]["annotated"] == tmp_path / "team.annotated.jpg"
    assert plans[1]["emoji"] == tmp_path / "team.emoji.png"
    assert plans[2]["explained"] == tmp_path / "team-2.explained.png"
    assert plans[3]["annotated"] == tmp_path / "team-2.annotated.jpg"

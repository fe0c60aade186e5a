"""What the process that reads a film says of it names no place of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from fervid.errors import VideoError
from fervid.web.films.worker import describe_failure


def test_no_path_of_the_server_is_told(tmp_path: Path) -> None:
    (tmp_path / "disk" / "results").mkdir(parents=True)
    linked = tmp_path / "films"
    linked.symlink_to(tmp_path / "disk")
    results, film = linked / "results", str(linked / "film")
    for folder in (results, results.resolve()):
        error = VideoError(f"cannot encode {folder}/annotated.mp4 ('file:{folder}/.x.part' refused {film})")
        told = describe_failure(error, film, str(results), "my.avi")
        assert told["message"] == "cannot encode annotated.mp4 ('file:.x.part' refused my.avi)"

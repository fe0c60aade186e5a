"""``/videos``: what a film becomes, what is refused, and what can be done to a job."""

from __future__ import annotations

import csv
import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("av")

from fastapi.testclient import TestClient

from fervid.results import Frame
from fervid.sinks.table import COLUMNS
from fervid.web.app import create_app
from fervid.web.films import service
from fervid.web.films.folders import RESULTS, FilmFolders
from fervid.web.settings import API, Settings

BOUNDARY = "xxBOUNDARYxx"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def films(data_dir: Path, film_client: Any) -> Iterator[Any]:
    """A server that reads one film at a time."""
    with TestClient(create_app(Settings(data_dir=data_dir)), base_url="http://127.0.0.1:8642") as client:
        yield film_client(client)


@pytest.fixture(scope="module")
def done(films: Any, film: Path) -> dict[str, Any]:
    """A film that has been read."""
    job: dict[str, Any] = films.wait(films.start(film, "../../My talk.mp4"), "done", "failed")
    assert job["status"] == "done", job
    return job


def list_files(folder: Path) -> list[str]:
    """What lies in the folders of jobs and of uploads."""
    return sorted(
        str(path.relative_to(folder))
        for path in (folder / "films").rglob("*")
        if path.is_file() and path.name != "lock"
    )


def check_error(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    return str(answer.json()["error"]["message"])


def test_a_film_becomes_its_files(done: dict[str, Any], data_dir: Path) -> None:
    assert done["name"] == "My talk.mp4"
    assert done["progress"] == 1
    assert done["frames"] == 20
    assert done["size"] == [440, 240]
    assert done["duration_s"] == pytest.approx(2.0, abs=0.05)
    assert done["error"] is None
    assert done["warnings"] == []
    assert done["expires"] > done["finished"] > done["created"]
    assert {file["name"] for file in done["files"]} >= {*RESULTS} - {"frames.parquet"}
    kept = [name for name in list_files(data_dir) if done["id"] in name]
    assert kept == [f"films/jobs/{done['id']}/results/{name}" for name in sorted(f["name"] for f in done["files"])]


def test_the_files_say_the_same_and_nothing_of_the_server(films: Any, done: dict[str, Any], data_dir: Path) -> None:
    texts = {}
    for file in done["files"]:
        answer = films.client.get(file["url"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == file["media_type"]
        assert len(answer.content) == file["bytes"]
        assert str(data_dir).encode() not in answer.content
        if file["name"].endswith((".csv", ".json", ".jsonl")):
            texts[file["name"]] = answer.text
    rows = list(csv.DictReader(io.StringIO(texts["frames.csv"])))
    assert tuple(rows[0]) == COLUMNS
    assert {row["source"] for row in rows} == {"My talk.mp4"}
    frames = [Frame.from_dict(json.loads(line)) for line in texts["frames.jsonl"].splitlines()]
    assert len(frames) == 20
    assert sum(len(frame.faces) for frame in frames) == len(rows)
    summary, timeline = json.loads(texts["summary.json"]), json.loads(texts["timeline.json"])
    assert [p["track"] for p in summary["people"]] == [t["track"] for t in timeline["tracks"]] == [1, 2]
    assert summary["people"][0]["dominant"] == timeline["tracks"][0]["dominant"] == "happy"
    assert timeline["tracks"][1]["bins"][0]["start_s"] >= 0.5
    assert timeline["tracks"][1]["bins"][-1]["end_s"] <= 2.01


def test_a_browser_can_seek_in_the_film(films: Any, done: dict[str, Any]) -> None:
    whole = films.fetch(done["id"], "annotated.mp4").content
    assert whole[4:8] == b"ftyp"
    part = films.fetch(done["id"], "annotated.mp4", Range="bytes=100-199")
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert part.content == whole[100:200]
    assert films.fetch(done["id"], "annotated.mp4", Range="bytes=-10").content == whole[-10:]
    changed = films.fetch(done["id"], "annotated.mp4", Range="bytes=0-9", **{"If-Range": '"of another film"'})
    assert changed.status_code == 200
    behind = films.fetch(done["id"], "annotated.mp4", Range=f"bytes={len(whole)}-")
    check_error(behind, 416, "web.range")
    assert behind.headers["content-range"] == f"bytes */{len(whole)}"
    check_error(films.fetch(done["id"], "annotated.mp4", Range="bytes=nonsense"), 400, "web.request")


def test_a_file_can_be_saved_under_the_films_name(films: Any, done: dict[str, Any]) -> None:
    shown = films.fetch(done["id"], "frames.csv")
    assert "content-disposition" not in shown.headers
    saved = films.client.get(f"{API}/videos/{done['id']}/files/frames.csv?download=1")
    assert "attachment" in saved.headers["content-disposition"]
    assert "My%20talk-frames.csv" in saved.headers["content-disposition"]
    assert saved.content == shown.content


@pytest.mark.parametrize(
    "name", ["film", "journal", "annotated.mp4.part", "..%2F..%2Ffervid.sqlite3", "%2e%2e/film", "Frames.csv", "%00"]
)
def test_no_other_file_is_served(films: Any, done: dict[str, Any], name: str) -> None:
    assert films.fetch(done["id"], name).status_code == 404


def test_unknown_films_are_not_found(films: Any) -> None:
    for job_id in ("0" * 32, "x", "..", "%00", "'; DROP TABLE film_jobs", "é" * 40):
        for method, path in [
            ("GET", ""), ("GET", "/events"), ("GET", "/files/frames.csv"), ("DELETE", ""), ("POST", "/cancel"),
            ("POST", "/retry"),
        ]:  # fmt: skip
            answer = films.client.request(method, f"{API}/videos/{job_id}{path}")
            assert answer.status_code in (404, 405), answer.text
            assert answer.json()["error"]["code"] in ("web.not_found", "web.method")


def test_what_is_done_can_neither_be_stopped_nor_read_again(films: Any, done: dict[str, Any]) -> None:
    assert "done" in check_error(films.act(done["id"], "cancel"), 409, "web.conflict")
    assert "done" in check_error(films.act(done["id"], "retry"), 409, "web.conflict")


def test_events_tell_each_change_until_the_end(films: Any, film: Path) -> None:
    job_id = films.start(film, every_s=0.5, annotated=False, labels=6, smooth_s=0)
    seen = []
    with films.client.stream("GET", f"{API}/videos/{job_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line and not line.startswith(":")]
    for event, data in zip(lines[::2], lines[1::2], strict=True):
        assert event == "event: job"
        seen.append(json.loads(data.removeprefix("data: "))["job"])
    assert len({json.dumps(job) for job in seen}) == len(seen)
    assert [job["progress"] for job in seen] == sorted(job["progress"] for job in seen)
    last = seen[-1]
    assert last["status"] == "done", last
    assert last == films.find(job_id)
    assert last["options"] == {"labels": 6, "every_s": 0.5, "smooth_s": 0, "annotated": False}
    assert last["frames"] == 4
    assert "annotated.mp4" not in {file["name"] for file in last["files"]}
    rows = list(csv.DictReader(io.StringIO(films.fetch(job_id, "frames.csv").text)))
    assert {row["p_disgust"] for row in rows} == {""}


def test_the_list_has_the_newest_first(films: Any, done: dict[str, Any], film: Path) -> None:
    newer = films.start(film, every_s=1, annotated=False)
    jobs = films.client.get(f"{API}/videos").json()["jobs"]
    ids = [job["id"] for job in jobs]
    assert ids.index(newer) < ids.index(done["id"])
    assert done in jobs
    films.wait(newer, "done")


def test_a_truncated_film_gives_what_decodes_and_warns(films: Any, long_film: Path) -> None:
    data = long_film.read_bytes()
    moov = data.rfind(b"moov")
    short = data[: len(data) // 12] if moov < len(data) // 12 else data[: moov + 4]
    job = films.wait(films.start(short, annotated=False, every_s=1), "done", "failed")
    assert job["status"] == "done", job
    assert job["frames"] > 0
    assert any("incomplete" in warning for warning in job["warnings"]), job


@pytest.mark.parametrize("kind", ["text", "picture", "hls", "concat", "cut"])
def test_what_is_no_film_is_refused_and_leaves_nothing(
    films: Any, kind: str, film: Path, astronaut: Path, data_dir: Path
) -> None:
    before = list_files(data_dir)
    data = {
        "text": b"hello, I am a film",
        "picture": astronaut.read_bytes(),
        "hls": f"#EXTM3U\n#EXTINF:2,\nfile://{film}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile '{film}'\n".encode(),
        "cut": film.read_bytes()[:200],
    }[kind]
    message = check_error(films.send(data, "holiday.mp4"), 422, "input.video")
    assert "holiday.mp4" in message
    assert str(data_dir) not in message
    assert list_files(data_dir) == before


def send_form(films: Any, body: bytes, kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> Any:
    return films.client.post(f"{API}/videos", content=body, headers={"Content-Type": kind})


def make_part(headers: str, data: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode() + data + b"\r\n"


def test_what_is_no_form_with_a_film_is_refused(films: Any, data_dir: Path) -> None:
    before = list_files(data_dir)
    film = 'Content-Disposition: form-data; name="video"; filename="a.mp4"'
    end = f"--{BOUNDARY}--\r\n".encode()
    for body, kind, status, code in [
        (b"{}", "application/json", 415, "web.media_type"),
        (b"x", "multipart/form-data", 400, "web.request"),
        (b"x", f"multipart/form-data; boundary={'y' * 300}", 400, "web.request"),
        (b"no form at all", None, 400, "web.request"),
        (b"", None, 400, "web.request"),
        (make_part(film, b"some"), None, 400, "web.request"),
        (end, None, 422, "usage"),
        (make_part(film, b"") + end, None, 422, "usage"),
        (make_part('Content-Disposition: form-data; name="video"', b"text") + end, None, 422, "usage"),
        (make_part('Content-Disposition: form-data; name="film"; filename="a"', b"x") + end, None, 422, "usage"),
        (make_part(film, b"some") * 2 + end, None, 422, "usage"),
    ]:
        check_error(send_form(films, body, *([kind] if kind else [])), status, code)
    assert list_files(data_dir) == before


@pytest.mark.parametrize(
    "query", ["labels=5", "every_s=0", "every_s=nan", "smooth_s=-1", "smooth_s=inf", "annotated=2"]
)
def test_wrong_options_are_refused(films: Any, query: str) -> None:
    answer = films.client.post(f"{API}/videos?{query}", files={"video": ("a.mp4", b"x")})
    check_error(answer, 422, "usage")


def test_a_film_at_a_time_and_what_can_be_done_to_it(films: Any, film: Path, long_film: Path, data_dir: Path) -> None:
    """The second waits for the first; that is cancelled, read again, and deleted while it is read."""
    first, second = films.start(long_film), films.start(film, annotated=False)
    films.wait_until(first, lambda job: job["frames"] > 0)
    assert films.find(second)["status"] == "queued"
    assert films.fetch(first, "frames.csv").status_code == 404
    cancelled = films.act(first, "cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["job"]["status"] == "cancelled"
    assert films.act(first, "cancel").json()["job"]["status"] == "cancelled"
    assert films.wait(second, "done", "failed")["status"] == "done"
    assert [n for n in list_files(data_dir) if first in n] == [
        f"films/jobs/{first}/film",
        f"films/jobs/{first}/journal",
    ]

    again = films.act(first, "retry").json()["job"]
    assert again["status"] in ("queued", "running")
    assert again["error"] is None
    films.wait_until(first, lambda job: job["frames"] > 0)
    assert films.client.delete(f"{API}/videos/{first}").status_code == 204
    check_error(films.client.get(f"{API}/videos/{first}"), 404, "web.not_found")
    third = films.start(film, annotated=False, every_s=1)
    films.wait(third, "done")
    assert not any(first in name for name in list_files(data_dir))
    assert films.client.delete(f"{API}/videos/{third}").status_code == 204
    assert not any(third in name for name in list_files(data_dir))


def test_what_waits_can_be_cancelled(films: Any, film: Path, long_film: Path) -> None:
    first, second = films.start(long_film), films.start(film)
    assert films.act(second, "cancel").json()["job"]["status"] == "cancelled"
    films.act(first, "cancel")
    for job_id in (first, second):
        assert films.client.delete(f"{API}/videos/{job_id}").status_code == 204


@pytest.fixture
def strict(tmp_path: Path, film_client: Any) -> Iterator[Any]:
    """A server that takes next to nothing."""
    settings = Settings(data_dir=tmp_path, max_film_mb=0.2, max_pixels=30_000)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8642") as client:
        yield film_client(client)


def test_limits(strict: Any, film: Path, tmp_path: Path) -> None:
    check_error(strict.send(b"\0" * 210_000), 413, "web.too_large")
    stream = (b"\0" * 10_000 for _ in range(200))
    check_error(send_form(strict, stream), 413, "web.too_large")  # type: ignore[arg-type]
    check_error(strict.send(b"\0" * 2_000_000), 413, "web.too_large")
    refused = strict.send(film)
    assert "pixels" in check_error(refused, 413, "input.size")
    assert "limit for films is 30,000" in refused.json()["error"]["advice"]
    assert list_files(tmp_path) == []


def test_a_film_may_be_too_long_and_one_that_does_not_say_so_is_read_up_to_the_limit(
    film: Path, long_film: Path, film_client: Any, tmp_path: Path
) -> None:
    import av

    raw = tmp_path / "long.h264"  # pictures alone: nothing says how many
    with av.open(long_film) as source, av.open(raw, "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    settings = Settings(data_dir=tmp_path / "data", max_film_s=1.5)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8642") as client:
        films = film_client(client)
        refused = films.send(film)
        assert "lasts 2 s" in check_error(refused, 413, "input.size")
        assert "--max-film-s" in refused.json()["error"]["advice"]
        job = films.wait(films.start(raw, annotated=False, every_s=0.5), "done", "failed")
    assert (job["status"], job["duration_s"], job["frames"]) == ("done", None, 3), job
    assert job["warnings"][-1] == "only the first 2 s were read, which is the limit"


def test_a_client_that_goes_leaves_nothing(start_server: Any, tmp_path: Path, film: Path) -> None:
    """While it sends, its film grows on the disk; when it goes, that is gone."""
    port = start_server(create_app(Settings(data_dir=tmp_path)))
    part = make_part('Content-Disposition: form-data; name="video"; filename="a.mp4"', b"\0" * 3_000_000)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            f"POST {API}/videos HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9000000\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode()
        )
        connection.sendall(part)
        wait_for(lambda: any(path.stat().st_size >= 1_000_000 for path in find_parts(tmp_path)))
        assert httpx.get(f"http://127.0.0.1:{port}{API}/health", timeout=30).status_code == 200
    wait_for(lambda: not find_parts(tmp_path))
    assert httpx.get(f"http://127.0.0.1:{port}{API}/videos", timeout=30).json() == {"jobs": []}


def test_only_so_many_films_are_received_at_a_time(
    start_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_UPLOADS", 1)
    port = start_server(create_app(Settings(data_dir=tmp_path)))
    url = f"http://127.0.0.1:{port}{API}/videos"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            f"POST {API}/videos HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9000\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n--".encode()
        )
        wait_for(lambda: bool(find_parts(tmp_path)))
        refused = httpx.post(url, files={"video": ("a.mp4", b"x")}, timeout=30)
        check_error(refused, 429, "web.too_many")
        assert int(refused.headers["retry-after"]) > 0
    wait_for(lambda: not find_parts(tmp_path))
    check_error(httpx.post(url, files={"video": ("a.mp4", b"x")}, timeout=60), 422, "input.video")


def test_a_film_that_does_not_say_how_long_it_is_stops_at_the_reserve(
    start_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_free(folders: FilmFolders) -> int:
        sizes.append(sum(path.stat().st_size for path in find_parts(tmp_path)))
        return service.RESERVE_BYTES + 2_500_000 - sizes[-1]

    def send_chunks() -> Iterator[bytes]:
        yield make_part('Content-Disposition: form-data; name="video"; filename="a.mp4"', b"")[:-2]
        for _ in range(80):
            yield b"\0" * 65_536
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    sizes: list[int] = []
    monkeypatch.setattr(FilmFolders, "measure_free", measure_free)
    port = start_server(create_app(Settings(data_dir=tmp_path)))
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    refused = httpx.post(f"http://127.0.0.1:{port}{API}/videos", content=send_chunks(), headers=headers, timeout=30)
    check_error(refused, 507, "web.storage")
    assert 1_000_000 <= max(sizes) <= 2_500_000
    assert not find_parts(tmp_path)


def find_parts(data_dir: Path) -> list[Path]:
    return list((data_dir / "films").rglob("*.part"))


def wait_for(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it never came true")

"""What is built: the same bytes from anywhere, with everything in it and nothing else, that installs and runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import fervid
from fervid.models.store import BUNDLED

ROOT = Path(__file__).parents[2]
STATIC = Path("src/fervid/web/static")
PORTRAIT = Path("tests/golden/hopper.png")
LARGEST = 12_000_000
VERSIONS = ("3.11", "3.12", "3.13")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Built:
    """What a build gave."""

    tree: Path
    sdist: Path
    wheel: Path


def build(folder: Path, output: Path, *targets: str, umask: int, **environment: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | environment
    options = [part for target in targets for part in ("-t", target)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *options, "-d", str(output)],
        cwd=folder, env=environ, umask=umask, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """sdist and wheel of a copy of this tree."""
    pytest.importorskip("hatchling", reason="builds need hatchling: pip install 'fervid[dev]'")
    if not (ROOT / STATIC / "index.html").is_file():
        pytest.skip("the pages are not built: make test-pages")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout, so what belongs to the project is not known")
    tree = tmp_path_factory.mktemp("tree") / "fervid"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    shutil.copytree(ROOT / STATIC, tree / STATIC)
    modules = ROOT / "frontend" / "node_modules"
    if modules.is_dir():  # where the licences of what the pages are made of are read
        (tree / "frontend" / "node_modules").symlink_to(modules)
    (tree / STATIC / "index.html").touch()  # the pages are current: Node.js is not asked
    output = tmp_path_factory.mktemp("dist")
    build(tree, output, "sdist", "wheel", umask=0o077, TZ="Pacific/Auckland")
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return Built(tree, sdist, wheel)


@pytest.fixture(scope="module")
def names(built: Built) -> list[str]:
    """Of the files in the wheel."""
    with zipfile.ZipFile(built.wheel) as archive:
        return archive.namelist()


def test_the_sdist_builds_the_same_wheel(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    build(folder, tmp_path / "dist", "wheel", umask=0o022, TZ="UTC", PATH="/nonexistent")  # there is no Node.js there
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name == built.wheel.name == f"fervid-{fervid.__version__}-py3-none-any.whl"
    assert wheel.read_bytes() == built.wheel.read_bytes()


def test_the_wheel_is_small_enough(built: Built) -> None:
    assert built.wheel.stat().st_size <= LARGEST


def test_the_wheel_has_everything(names: list[str], built: Built) -> None:
    assert {f"fervid/models/bundled/{path.name}" for path in BUNDLED.iterdir()} <= set(names)
    assert {"fervid/py.typed", "fervid/web/static/index.html", "fervid/drawing/timeline.js"} <= set(names)
    assert any(name.startswith("fervid/web/database/migrations/versions/v0001") for name in names)
    assert any(name.endswith(".wasm.xz") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    package = {path.relative_to(built.tree / "src").as_posix() for path in (built.tree / "src").rglob("*.py")}
    assert package == {name for name in names if name.endswith(".py")}


def test_the_wheel_has_the_licences_of_what_is_in_its_pages(built: Built, names: list[str]) -> None:
    place = "fervid/web/static/third-party-licences.txt"
    if place not in names:
        pytest.skip("the packages of the pages are not here to read their licences from")
    with zipfile.ZipFile(built.wheel) as archive:
        text = archive.read(place).decode("utf-8")
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text("utf-8"))["packages"]
    direct = lock[""]["dependencies"]
    assert len(direct) >= 4
    for name in direct:
        assert f"\n{name} {lock[f'node_modules/{name}']['version']}: " in text
    *parts, pictures = text.split("-" * 80)[1:]
    told = re.compile("Permission .{0,120}granted|Apache License|Redistribution and use", re.DOTALL)
    assert [part[:80] for part in parts if not told.search(part)] == []
    assert "public domain" in pictures
    assert "\nvite " not in text


def test_the_wheel_has_nothing_else(names: list[str]) -> None:
    info = f"fervid-{fervid.__version__}.dist-info/"
    assert all(name.startswith(("fervid/", info)) for name in names)
    forbidden = (".parquet", ".csv", ".pt", ".pyc", ".map", ".wasm", ".ipynb", ".so", ".npz")
    assert not [name for name in names if name.endswith(forbidden)]
    assert not [name for name in names if "test" in Path(name).name.lower() or "/tests/" in name]


def test_times_and_permissions_in_the_wheel_are_nobodys(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        entries = archive.infolist()
    assert len({entry.date_time for entry in entries}) == 1
    assert {stat.S_IMODE(entry.external_attr >> 16) for entry in entries} <= {0o644, 0o755}


def test_the_models_are_the_published_ones(built: Built) -> None:
    manifest = json.loads((BUNDLED / "manifest.json").read_text("utf-8"))
    with zipfile.ZipFile(built.wheel) as archive:
        for name, entry in manifest.items():
            data = archive.read(f"fervid/models/bundled/{name}.onnx")
            assert hashlib.sha256(data).hexdigest() == entry["sha256"]


def test_the_sdist_has_what_builds_and_tests_it(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"hatch_build.py", "Makefile", "Dockerfile", "compose.yaml", "tests/conftest.py", "release/sbom.py"}
    assert wanted | {"notebooks/fervid_tour.ipynb", "frontend/package-lock.json", "PKG-INFO"} <= found
    assert not [name for name in found if "node_modules" in name or name.endswith((".parquet", ".pt"))]


def test_the_sbom_lists_what_is_in_the_wheel(built: Built, load_script: Callable[[str], ModuleType]) -> None:
    sbom = load_script("release/sbom.py")
    document = sbom.build_sbom(built.wheel, ["web"])
    assert document == sbom.build_sbom(built.wheel, ["web"])
    assert document["metadata"]["component"]["version"] == fervid.__version__
    parts = {part["bom-ref"]: part for part in document["components"]}
    assert len(parts) == len(document["components"])
    models = {part["name"]: part["hashes"][0]["content"] for part in parts.values() if part["type"].startswith("mach")}
    manifest = json.loads((BUNDLED / "manifest.json").read_text("utf-8"))
    assert models == {name: entry["sha256"] for name, entry in manifest.items()}
    names = {part["name"].lower() for part in parts.values()}
    assert {"numpy", "onnxruntime", "fastapi", "starlette", "uplot", "onnxruntime-web", "preact"} <= names
    assert not names & {"torch", "pytest", "vite", "typescript", "fervid"}
    known = {*parts, document["metadata"]["component"]["bom-ref"]}
    for entry in document["dependencies"]:
        assert {entry["ref"], *entry.get("dependsOn", [])} <= known
    assert {entry["ref"] for entry in document["dependencies"]} == known
    assert {part["bom-ref"] for part in sbom.build_sbom(built.wheel)["components"]} < set(parts)


def find_python(version: str) -> Path | None:
    """An interpreter of that version that can make environments, wherever one usually lies."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        found.insert(0, sys.executable)
    for path in filter(None, found):
        code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return Path(path)
    return None


def install(python: Path, wheel: Path, folder: Path, extra: str = "") -> subprocess.CompletedProcess[str]:
    """The wheel and what it needs in an environment that has nothing, not even pip."""
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    constraints = ["--constraint", str(ROOT / "constraints.txt")] if extra else []  # the small build of torch
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True, capture_output=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    return subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", *constraints, wanted], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips what installs packages where none can be had."""
    folder = str(tmp_path_factory.mktemp("probe"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder]
    if subprocess.run([*command, "platformdirs"], capture_output=True, check=False).returncode:
        pytest.skip("no package index can be reached")


@pytest.fixture(scope="module")
def installations(
    built: Built, index: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Path, Future[subprocess.CompletedProcess[str]]]]]:
    """An environment for each Python that is here; they are made at the same time."""
    folder = tmp_path_factory.mktemp("environments")
    pythons = {version: python for version in VERSIONS if (python := find_python(version))}
    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        yield {
            version: (folder / version, pool.submit(install, python, built.wheel, folder / version))
            for version, python in pythons.items()
        }
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_runs_in_an_empty_environment(
    version: str,
    installations: dict[str, tuple[Path, Future[subprocess.CompletedProcess[str]]]],
    tmp_path: Path,
) -> None:
    if version not in installations:
        pytest.skip(f"there is no Python {version} here")
    folder, future = installations[version]
    done = future.result()
    assert done.returncode == 0, done.stderr

    def run(*command: str) -> str:
        environ = {"PATH": str(folder / "bin"), "HOME": str(tmp_path), "LANG": "C.UTF-8", "COLUMNS": "120"}
        result = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    output = run(str(folder / "bin" / "fervid"), "demo", "-o", "out")
    assert "1 face" in output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "grace_hopper.annotated.jpg",
        "grace_hopper.emoji.jpg",
    }
    code = "import importlib.metadata as m; print(*sorted(d.name.lower() for d in m.distributions()))"
    installed = set(run(str(folder / "bin" / "python"), "-c", code).split())
    assert "fervid" in installed
    assert not installed & {"torch", "fastapi", "pyarrow", "av", "pandas", "ray", "opencv-python-headless", "pytest"}
    assert len(installed) < 32, f"an installation for everybody has {len(installed)} packages: {sorted(installed)}"


def write_faces(path: Path) -> None:
    """FER2013's CSV with noise for faces."""
    rng = np.random.default_rng(1)
    rows = ["emotion,pixels,Usage"]
    for split, count in {"Training": 70, "PublicTest": 35, "PrivateTest": 7}.items():
        rows += [f"{i % 7},{' '.join(map(str, rng.integers(0, 256, 48 * 48)))},{split}" for i in range(count)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_film(path: Path, photo: Path) -> None:
    """A second of a portrait that stands still."""
    import av

    picture = Image.open(photo).convert("RGB").resize((320, 320))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
        for _ in range(10):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        film.mux(stream.encode(None))


@pytest.mark.parametrize("extra", ["haar", "data", "video", "web", "train", "batch"])
def test_an_extra_brings_what_its_commands_need(
    extra: str, built: Built, index: None, tiny_recipe: str, tmp_path: Path
) -> None:
    """Each in an environment of its own, with nothing of what the others bring."""
    folder, photos = tmp_path / "environment", tmp_path / "photos"
    done = install(Path(sys.executable), built.wheel, folder, extra)
    assert done.returncode == 0, done.stderr
    environ = {"PATH": str(folder / "bin"), "HOME": str(tmp_path), "LANG": "C.UTF-8", "COLUMNS": "120"}
    command = str(folder / "bin" / "fervid")

    def run(*arguments: str) -> str:
        result = subprocess.run(
            [command, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    photos.mkdir()
    photo = Path(shutil.copy(ROOT / PORTRAIT, photos))
    if extra == "haar":
        assert "1 face" in run("image", str(photo), "--detector", "haar")
    elif extra in ("data", "train"):
        write_faces(tmp_path / "fer2013.csv")
        run("data", "prepare", "fer2013.csv", "-o", "faces.parquet")
        if extra == "train":
            (tmp_path / "tiny.toml").write_text(tiny_recipe, encoding="utf-8")
            run("train", "tiny.toml", "--data", "faces.parquet", "-o", "runs/tiny")
        model = "runs/tiny/tiny.onnx" if extra == "train" else "small"
        assert "PrivateTest" in run("evaluate", model, "--data", "faces.parquet")
    elif extra == "video":
        write_film(tmp_path / "film.mp4", photo)
        run("video", "film.mp4", "--csv", "faces.csv", "-o", "seen.mp4")
        assert (tmp_path / "faces.csv").read_text("utf-8").count("\n") == 11
        assert (tmp_path / "seen.mp4").stat().st_size > 1000
    elif extra == "batch":
        for engine in ("local", "ray"):
            run("batch", "run", "photos", "--out", engine, "--engine", engine, "--workers", "1")
            assert "1 rows of faces" in run("batch", "report", engine)
    else:
        check_server(command, environ, tmp_path, photo)


def check_server(command: str, environ: dict[str, str], folder: Path, photo: Path) -> None:
    """The installed web app shows its pages and reads a photo."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [command, "serve", "--port", str(port)], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api/v1/health") as answer:
                assert answer.status == 200
                break
            assert server.poll() is None, server.communicate()[1]
            time.sleep(0.1)
        with urllib.request.urlopen(address) as page:
            assert b"<script" in page.read()
        request = urllib.request.Request(
            f"{address}/api/v1/images", data=photo.read_bytes(), headers={"Content-Type": "image/png"}
        )
        with urllib.request.urlopen(request) as answer:
            assert len(json.load(answer)["faces"]) == 1
    finally:
        server.terminate()
        server.communicate(timeout=30)

"""Where model files lie and how they are checked.

Bundled files stand in ``bundled/`` with their SHA-256 in ``bundled/manifest.json``. Others are published elsewhere and
fetched once into the user's cache; ``FERVID_MODEL_DIR`` names a folder that is searched first. A file whose SHA-256
differs is never loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fervid.errors import IntegrityError, ModelError, UnknownModelError, escape_bytes
from fervid.files import write_atomically

BUNDLED: Final = Path(__file__).parent / "bundled"
FETCH_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A model file by name, with the digest it must have.

    Attributes:
        name: what it is asked for by.
        kind: ``expression`` or ``detector``.
        file_name: its name in a folder.
        sha256: hex digest.
        url: where it can be fetched; empty when bundled.
    """

    name: str
    kind: str
    file_name: str
    sha256: str
    url: str = ""

    @property
    def bundled(self) -> bool:
        """Whether it is part of the installed package."""
        return not self.url


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model in memory, its digest computed from these very bytes."""

    name: str
    data: bytes
    sha256: str

    @property
    def identity(self) -> str:
        """``name@sha256[:12]``, as results carry it."""
        return f"{self.name}@{self.sha256[:12]}"


_YUNET_URL: Final = "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
EXTERNAL: Final = (
    PublishedFile(
        "yunet",
        "detector",
        "face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        _YUNET_URL + "face_detection_yunet_2023mar.onnx",
    ),
    PublishedFile(
        "yunet-dynamic",
        "detector",
        "face_detection_yunet_2026may.onnx",
        "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
        _YUNET_URL + "face_detection_yunet_2026may.onnx",
    ),
)
"""Model files of others that fervid can use (YuNet: MIT, Wu et al. 2023, doi:10.1007/s11633-023-1423-y)."""


@cache
def list_bundled() -> tuple[PublishedFile, ...]:
    """The files that come with the package."""
    table = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))
    return tuple(PublishedFile(name, row["kind"], f"{name}.onnx", row["sha256"]) for name, row in table.items())


def list_published() -> tuple[PublishedFile, ...]:
    """Every file that has a name: bundled ones first."""
    return (*list_bundled(), *EXTERNAL)


def find_published(name: str) -> PublishedFile:
    """The published file of that name.

    Raises:
        UnknownModelError: there is none.
    """
    for published in list_published():
        if published.name == name:
            return published
    known = ", ".join(p.name for p in list_published())
    raise UnknownModelError(f"there is no model {name!r}", advice=f"Known: {known}; or give the path of an .onnx file.")


def locate(published: PublishedFile) -> Path | None:
    """Where the file lies on this machine, or None when it has not been fetched. Does not check it."""
    if published.bundled:
        return BUNDLED / published.file_name
    for folder in _search_path():
        path = folder / published.file_name
        if path.is_file():
            return path
    return None


def is_path(model: str) -> bool:
    """Whether a model is asked for by the path of its file rather than by a name."""
    return model.endswith(".onnx") or os.sep in model


def load_model(model: str | os.PathLike[str]) -> ModelFile:
    """Read a model by name (checked against its SHA-256) or by path (the user's own file).

    Raises:
        UnknownModelError: no such name, no such file.
        IntegrityError: the bytes are not the published ones.
        ModelError: the file is known, but not on this machine or not readable.
    """
    text = os.fspath(model)
    if is_path(text):
        try:
            data = Path(text).read_bytes()
        except OSError as error:
            raise UnknownModelError(
                f"cannot read the model {text} ({error.strerror})", advice="Check the path."
            ) from None
        return ModelFile(escape_bytes(Path(text).stem), data, hashlib.sha256(data).hexdigest())
    published = find_published(text)
    path = locate(published)
    if path is None:
        raise ModelError(
            f"the model {text} is not on this machine",
            advice=f"Fetch it once with: fervid models pull {text}; "
            f"or put {published.file_name} into a folder and name it in FERVID_MODEL_DIR.",
        )
    return ModelFile(text, read_checked(published, path), published.sha256)


def read_checked(published: PublishedFile, path: Path) -> bytes:
    """The bytes at ``path``, which must be those of ``published``.

    Raises:
        IntegrityError: they are not.
        ModelError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path} ({error.strerror})", advice="Install fervid again.") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != published.sha256:
        advice = (
            "Install fervid again." if published.bundled else f"Delete it and run: fervid models pull {published.name}"
        )
        raise IntegrityError(
            f"{path} has the SHA-256 {digest[:12]}…, not {published.sha256[:12]}… of {published.name}", advice=advice
        )
    return data


def fetch(name: str) -> Path:
    """Fetch a file of :data:`EXTERNAL` into the user's cache, unless a right one is there.

    Raises:
        UnknownModelError: no such name.
        IntegrityError: what arrived is something else; nothing is kept.
        ModelError: it cannot be fetched, or not be kept.
    """
    import http.client
    import urllib.request

    published = find_published(name)
    path = locate(published)
    if path is not None:
        read_checked(published, path)
        return path
    target = cache_folder() / published.file_name
    try:
        with urllib.request.urlopen(published.url, timeout=FETCH_TIMEOUT_S) as response:
            data = response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ModelError(
            f"cannot fetch {name} from {published.url} ({reason})",
            advice=f"Download it elsewhere, put {published.file_name} into a folder and name it in FERVID_MODEL_DIR.",
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != published.sha256:
        raise IntegrityError(
            f"{published.url} sent another file than {name}: its SHA-256 is {digest[:12]}…, "
            f"not {published.sha256[:12]}…; nothing was kept",
            advice="Does something on the way to it answer in its place? Try again from another network.",
        )
    try:
        with write_atomically(target) as part:
            part.write_bytes(data)
    except OSError as error:
        raise ModelError(
            f"cannot keep {name} in {target.parent} ({error.strerror or error})",
            advice=f"Free some space there, or put {published.file_name} into a folder named in FERVID_MODEL_DIR.",
        ) from None
    return target


def cache_folder() -> Path:
    """The user's folder for fetched models."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("fervid", appauthor=False)) / "models"


def _search_path() -> list[Path]:
    named = os.environ.get("FERVID_MODEL_DIR")
    return ([Path(named)] if named else []) + [cache_folder()]

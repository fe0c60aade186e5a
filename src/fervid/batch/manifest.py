"""``run.json``: what a folder of results was made of and how, and whether a second run fits to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from fervid.batch.addresses import drop_access, is_address, mask_secrets
from fervid.batch.settings import Settings
from fervid.batch.tables import Counts
from fervid.errors import InputError, UsageError
from fervid.extras import find_version
from fervid.files import write_file
from fervid.streaming.settings import describe_setting

FILE: Final = "run.json"
SCHEMA: Final = "fervid-batch/1"
_PACKAGES: Final = ("fervid", "numpy", "onnxruntime", "pillow", "av", "pyarrow", "ray")


@dataclass(frozen=True, slots=True)
class RunManifest:
    """A run, as its folder describes it.

    Attributes:
        source: what was read.
        settings: what decides the rows, see :meth:`.Settings.describe`.
        complete: whether everything that was listed is done.
        counts: of all that is done.
        began: when the first run began, ISO 8601.
        ended: when the latest ended; None while it runs.
        seconds: that all finished runs took together.
        versions: of the packages that the latest run used.
    """

    source: str
    settings: dict[str, Any]
    complete: bool = False
    counts: Counts = field(default_factory=Counts)
    began: str = ""
    ended: str | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, source: str, settings: Settings) -> Self:
        """Of a run that has not begun."""
        return cls(source, settings.describe(), began=tell_time(), versions=list_versions())

    @classmethod
    def read(cls, out: Path) -> Self | None:
        """That of a folder; None where no run has begun.

        Raises:
            InputError: it cannot be read.
            UsageError: it is none.
        """
        path = out / FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("schema") != SCHEMA:
                raise ValueError
            data["counts"] = Counts(**data["counts"])
            if is_address(data["source"]):
                data["source"] = mask_secrets(data["source"])  # an older run may hold some
            return cls(**data)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"cannot read {path} ({error.strerror})") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UsageError(f"{path} is no run of this version of fervid", advice="Give another folder.") from None

    def write(self, out: Path) -> None:
        """Keep it in a folder.

        Raises:
            OutputError: it cannot be written.
        """
        names = ("source", "settings", "complete", "began", "ended", "seconds", "versions")
        data = {"schema": SCHEMA, **{name: getattr(self, name) for name in names}, "counts": self.counts._asdict()}
        write_file(out / FILE, json.dumps(data, indent=2) + "\n")

    def check(self, other: RunManifest, out: Path) -> None:
        """Refuse to go on with another source or other settings.

        Raises:
            UsageError: ``other`` differs; the message says in what.
        """
        here, there = ({"source": _drop_access(run.source), **run.settings} for run in (self, other))
        differences = [
            f"{describe_setting(name, here.get(name))}, this one has {describe_setting(name, there.get(name))}"
            for name in {**here, **there}
            if here.get(name) != there.get(name)
        ]
        if differences:
            raise UsageError(
                f"the run in {out} was begun with {'; with '.join(differences)}",
                advice="Use what it was begun with to go on, or give another --out.",
            )


def _drop_access(source: str) -> str:
    return drop_access(source) if is_address(source) else source


def list_versions() -> dict[str, str]:
    """Versions of the packages that matter and are installed."""
    return {name: version for name in _PACKAGES if (version := find_version(name))}


def tell_time() -> str:
    """Now, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")

"""Every error fervid raises on purpose.

::

    FervidError                 code            when
    ├── InputError              input           what was given cannot be read
    │   ├── ImageError          input.image     not a picture, damaged, empty
    │   ├── VideoError          input.video     no video stream, damaged
    │   └── SizeError           input.size      more pixels than the limit or the memory allows
    ├── ModelError              model
    │   ├── UnknownModelError   model.unknown   no model or detector of that name
    │   ├── IntegrityError      model.integrity the file is not the one that was published
    │   └── ContractError       model.contract  the file lacks what fervid needs to use it
    ├── DatasetError            dataset         a row, a label or a split is wrong
    ├── ConfigError             config          a training recipe is wrong
    ├── OutputError             output          what was asked for cannot be written
    ├── UsageError              usage           an argument is out of its range
    ├── DisplayError            display         there is no screen to show a window on
    └── MissingExtraError       extra           an optional dependency is not installed

Each says what was wrong and what was got (``message``) and what to do (``advice``); ``code`` is stable.
"""

from __future__ import annotations

import os
import re
from typing import ClassVar, Final

_CREDENTIAL: Final = re.compile(
    r"(?<![a-z])([a-z]*(?:pass|pwd|user|usr|token|key)[a-z]*=)(?:(?!_[a-z]+=)[^&;/?#\s])+", re.IGNORECASE
)
"""A name and the value that goes with it, up to the next; some cameras part them with ``_``."""

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
"""What an address begins with; of two strokes a path keeps one, and a letter alone is a drive."""


def escape_bytes(text: str) -> str:
    r"""Text that every file can hold: bytes of a path that are no UTF-8 become ``\xe9`` and the like."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a character that is no byte of a path
        return text.encode("utf-8", "backslashreplace").decode()


def mask_credentials(text: str) -> str:
    """A text with ``***`` for the values of users, passwords, tokens and keys, as in ``user=me&password=secret``."""
    return _CREDENTIAL.sub(r"\1***", text)


class FervidError(Exception):
    """Root of the tree.

    Args:
        message: what was wrong, and what was got.
        advice: what to do about it; empty when there is nothing to add.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, advice: str = "") -> None:
        self.message = escape_bytes(message)
        self.advice = escape_bytes(advice)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}. {self.advice}" if self.advice else self.message

    def __eq__(self, other: object) -> bool:
        """Whether it says the same: one that crossed a process border is another object."""
        return type(other) is type(self) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((type(self), self.message, self.advice))

    def to_dict(self) -> dict[str, str]:
        """The one JSON shape of an error, the same on every surface."""
        return {"code": self.code, "message": self.message, "advice": self.advice}

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive BaseException's own pickling; errors cross process borders.
        return _rebuild, (type(self), self.message, self.advice)


def _rebuild(kind: type[FervidError], message: str, advice: str) -> FervidError:
    return kind(message, advice=advice)


class InputError(FervidError):
    """What was given cannot be read."""

    code = "input"

    @classmethod
    def for_path(cls, path: str | os.PathLike[str], error: OSError) -> InputError:
        """The error for a file that cannot be opened, with what the system says of it; an address is none."""
        text = os.fspath(path)
        if scheme := _SCHEME.match(text):
            address = f"{scheme[1]}://{text[scheme.end() :]}"
            return cls(f"{address} is no file", advice="fervid reads files, not addresses: download it first.")
        return cls(f"cannot open {text} ({error.strerror})", advice="Check the path and its permissions.")


class ImageError(InputError):
    """Not a picture, a damaged picture, or an array of the wrong shape."""

    code = "input.image"


class VideoError(InputError):
    """Not a film, a film without a video stream, or a damaged one."""

    code = "input.video"


class SizeError(InputError):
    """More pixels than the limit or the memory allows.

    Attributes:
        pixels: of a picture that has more than the limit, as its header says, at least so many; 0 where it
            was the memory.
    """

    code = "input.size"
    pixels: int = 0


class ModelError(FervidError):
    """A model cannot be used."""

    code = "model"


class UnknownModelError(ModelError):
    """There is no model or detector of that name."""

    code = "model.unknown"


class IntegrityError(ModelError):
    """A model file is not, byte for byte, the one that was published."""

    code = "model.integrity"


class ContractError(ModelError):
    """A model file lacks the metadata, the inputs or the outputs that fervid needs."""

    code = "model.contract"


class DatasetError(FervidError):
    """A dataset has a row, a label, a split or a layout that cannot be right."""

    code = "dataset"


class ConfigError(FervidError):
    """A training recipe has an unknown key or a value out of its range."""

    code = "config"


class OutputError(FervidError):
    """What was asked for cannot be written: the place is none, forbidden or full."""

    code = "output"

    @classmethod
    def for_place(
        cls, place: str | os.PathLike[str], error: OSError, *, advice: str = "Choose another place, or free some."
    ) -> OutputError:
        """The error for a file or folder and what the system says of it."""
        return cls(f"cannot write {os.fspath(place)} ({error.strerror or error})", advice=advice)


class UsageError(FervidError, ValueError):
    """An argument is out of its range."""

    code = "usage"


class DisplayError(FervidError):
    """There is no screen to show a window on, or it refuses."""

    code = "display"


class MissingExtraError(FervidError, ImportError):
    """An optional dependency is not installed; ``advice`` holds the exact pip line."""

    code = "extra"

    @classmethod
    def for_extra(cls, extra: str, module: str, purpose: str) -> MissingExtraError:
        """The error for a missing ``module`` that ``purpose`` needs and ``extra`` installs."""
        return cls(f"{purpose} needs {module}, which is not installed", advice=f'Run: pip install "fervid[{extra}]"')

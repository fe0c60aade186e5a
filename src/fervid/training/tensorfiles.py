"""Tables of tensors in files: what torch saves, whole or not at all, and reads without running what it finds."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any, Final

import torch

from fervid.errors import ModelError
from fervid.files import write_file

DAMAGED: Final = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    struct.error,
    pickle.UnpicklingError,
)
"""What reading a damaged file, or one of another kind, makes torch raise."""


def save_tensors(path: Path, state: dict[str, Any]) -> None:
    """Write what :func:`load_tensors` reads. Raises OutputError when it cannot be written."""
    content = io.BytesIO()  # on a full disk torch itself would raise anything but an OSError
    torch.save(state, content)
    write_file(path, content.getvalue())


def load_tensors(path: Path, place: torch.device, *, advice: str = "Delete it and train again.") -> dict[str, Any]:
    """What torch saved in a file. Raises ModelError, with this advice, when it is damaged or no table."""
    content = io.BytesIO(path.read_bytes())  # so that what is wrong with the disk is told from what the file holds
    try:
        state: object = torch.load(content, map_location=place, weights_only=True)
    except torch.OutOfMemoryError:  # which is a RuntimeError; the file may be as it should
        raise
    except DAMAGED as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(f"{path} is damaged ({reason})", advice=advice) from None
    if not isinstance(state, dict):
        raise ModelError(f"{path} is damaged (it holds {type(state).__name__}, no table)", advice=advice)
    return state

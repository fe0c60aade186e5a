"""What the extra ``batch`` installs, and the error where it is not."""

from __future__ import annotations

import importlib.util
from typing import Final

from fervid.errors import MissingExtraError

EXTRA: Final = "batch"


def require(module: str, purpose: str) -> None:
    """Check that a module of the extra can be imported.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError.for_extra(EXTRA, module, purpose)

"""What is installed of the packages that fervid can use."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from fervid.errors import MissingExtraError


def require(extra: str, purpose: str, *modules: str) -> None:
    """Check that modules that an extra installs can be found, without importing them.

    Raises:
        MissingExtraError: one is not installed; it says that ``purpose`` needs it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError.for_extra(extra, module, purpose)


def find_version(distribution: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None

from __future__ import annotations

import importlib
import sys

import pytest

from fervid.errors import FervidError


def test_a_system_without_posix_locks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delitem(sys.modules, "fervid.batch.locks", raising=False)
    with pytest.raises(FervidError, match=r"needs the file locks of a POSIX system.* in WSL or Docker"):
        importlib.import_module("fervid.batch.locks")

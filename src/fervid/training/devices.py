"""Where and how torch computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fervid.errors import ConfigError, FervidError


def choose_device(name: str) -> torch.device:
    """The device that ``name`` means. Raises ConfigError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(f"unknown device {name!r}", advice="Use auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"there is no CUDA device {name!r}", advice="Use --device cpu, or auto.")
    return device


@contextmanager
def explain_shortage() -> Iterator[None]:
    """Say plainly that torch lacks memory, a compiler, or a process that prepared batches and was ended.

    Raises:
        FervidError: so it is.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason = str(error).partition("\n")[0].strip()
        short = isinstance(error, torch.OutOfMemoryError | MemoryError)  # of torch, or of NumPy and Python
        if short or "can't allocate memory" in reason:
            raise FervidError(
                f"there is too little memory ({reason or type(error).__name__})",
                advice="Give the recipe a smaller schedule.batch_size, or a detector smaller photos.",
            ) from None
        if "No working C++ compiler" in reason:
            raise ConfigError(
                "schedule.compile needs a C++ compiler",
                advice="Install one, such as g++, or leave schedule.compile out.",
            ) from None
        if reason.startswith("DataLoader worker (pid"):
            raise FervidError(
                f"a process of the training was ended ({reason})",
                advice="Is there enough memory? The same command goes on after the last finished epoch.",
            ) from None
        raise


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Treat the tiniest numbers as zero while training: weights that decay towards zero would slow a CPU down.

    The switch belongs to the whole thread, so it is turned back for whoever called.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)

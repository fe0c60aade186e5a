"""The machine that figures come from: they mean little without its name."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import fervid
from fervid.extras import find_version
from fervid.wording import count_nouns

INSTRUCTION_SETS: Final = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}
"""Flags of ``/proc/cpuinfo`` that decide how fast a network runs, and what people call them."""

PACKAGES: Final = {"ONNX Runtime": "onnxruntime", "NumPy": "numpy", "OpenCV": "opencv-python-headless"}
IDLE_LOAD: Final = 0.25
"""Load average per core up to which a machine counts as idle."""

_CPUINFO: Final = Path("/proc/cpuinfo")
_TOPOLOGY: Final = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, memory and software.

    Attributes:
        processor: model name.
        cores: physical cores that this process may use.
        hardware_threads: logical processors that it may use.
        instruction_sets: those of :data:`INSTRUCTION_SETS` that it has; empty where the system does not tell.
        memory_bytes: RAM; 0 where unknown.
        system: operating system and architecture.
        versions: of Python, fervid and the packages that do the work, by name.
        load: 1-minute load average before anything was measured; 0 where unknown.
    """

    processor: str
    cores: int
    hardware_threads: int
    instruction_sets: tuple[str, ...]
    memory_bytes: int
    system: str
    versions: dict[str, str]
    load: float

    @property
    def warning(self) -> str:
        """What to tell people who measure on a busy machine; empty on an idle one."""
        if self.load <= IDLE_LOAD * self.cores:
            return ""
        return (
            f"This machine is not idle: load average {self.load:.1f} on {count_nouns(self.cores, 'core')}. "
            "The figures mislead; repeat when nothing else runs."
        )

    def describe(self) -> str:
        """One sentence: processor, cores, instruction sets, memory; system; versions."""
        cores = count_nouns(self.cores, "core")
        if self.hardware_threads != self.cores:
            cores += f" ({self.hardware_threads} hardware threads)"
        parts = [self.processor, cores, *self.instruction_sets]
        if self.memory_bytes:
            parts.append(f"{self.memory_bytes / 1e9:.0f} GB")
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{', '.join(parts)}; {self.system}; {versions}"

    def to_dict(self) -> dict[str, Any]:
        """Plain dict, as JSON carries it."""
        return asdict(self) | {"instruction_sets": list(self.instruction_sets), "load": round(self.load, 2)}


def describe_machine() -> Machine:
    """Look at the machine this runs on."""
    facts = _read_cpuinfo()
    threads = _list_processors()
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    return Machine(
        processor=facts.get("model name") or platform.processor() or platform.machine(),
        cores=_count_cores(threads),
        hardware_threads=len(threads),
        instruction_sets=tuple(name for flag, name in INSTRUCTION_SETS.items() if flag in flags),
        memory_bytes=_measure_memory(),
        system=f"{_name_system()}, {platform.machine()}",
        versions={"fervid": fervid.__version__, "Python": platform.python_version()}
        | {name: version for name, package in PACKAGES.items() if (version := find_version(package))}
        | {"BLAS": _name_blas()},
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
    )


def _read_cpuinfo() -> dict[str, str]:
    """What is said of the first processor."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _list_processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _count_cores(processors: list[int]) -> int:
    """Logical processors that share a core count once: a second one adds little to dense arithmetic."""
    try:
        siblings = {Path(_TOPOLOGY.format(i)).read_text(encoding="ascii") for i in processors}
    except OSError:
        return len(processors)
    return len(siblings)


def _measure_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _name_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)


def _name_blas() -> str:
    """The library behind NumPy's matrix products, which the peak is measured with."""
    configuration: Any = np.show_config(mode="dicts")
    blas = configuration.get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(blas[key]) for key in ("name", "version") if blas.get(key)) or "unknown"

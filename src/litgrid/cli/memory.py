"""Memory of the process: what is freed stays with it, so that large tensors need no clearing; and its highest."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGE = 2**31 - 1  # the largest that mallopt takes


def keep_freed_memory() -> bool:
    """Let the C library use freed memory again, whatever its size, instead of giving it back to the system.

    The system hands out memory page by page, cleared: of a batch of 33 MB of observations a step this took half the
    time (docs/performance-simulator.md). It holds for the whole process, whose memory stays at its highest.

    Returns:
        Whether it is so; only glibc (Linux) can be told.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGE) and mallopt(M_TRIM_THRESHOLD, LARGE))


def peak_gb() -> float:
    """The most that the process has taken so far, in GB."""
    if sys.platform == "linux":  # resource.getrusage would count what the parent had
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9
    if sys.platform == "darwin":
        import resource  # noqa: PLC0415 (Windows has none)

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
    return float(psutil.Process().memory_info().peak_wset) / 1e9

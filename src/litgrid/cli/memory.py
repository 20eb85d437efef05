"""Memory that is freed stays with the process, so that large tensors of every step don't have to be cleared again."""

from __future__ import annotations

import ctypes
import sys

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

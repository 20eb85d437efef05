"""How much memory is free, on the processor and on a GPU."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import torch

CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""Files of a container's limit and use, in versions 2 and 1 of control groups."""


def free_bytes(device: torch.device) -> float:
    """Bytes that a program can still take: on a GPU, or on the processor without swapping, within its container."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        return _macos(subprocess.run(["vm_stat"], capture_output=True, text=True, check=True).stdout)
    return _linux(Path("/proc/meminfo"), Path("/sys/fs/cgroup"))


def _linux(meminfo: Path, cgroup: Path) -> float:
    found = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text(encoding="ascii"))
    assert found is not None, "Linux 3.14 and later have it"
    free = 1024.0 * int(found[1])
    for limit, used in CGROUPS:
        if (cgroup / limit).is_file():
            most = (cgroup / limit).read_text(encoding="ascii").strip()
            if most != "max":
                free = min(free, float(most) - float((cgroup / used).read_text(encoding="ascii")))
    return free


def _macos(vm_stat: str) -> float:
    """Pages that are free or can be had at once, of ``vm_stat``'s table."""
    size = re.search(r"page size of (\d+) bytes", vm_stat)
    pages = re.findall(r"Pages (?:free|inactive|speculative|purgeable):\s+(\d+)\.", vm_stat)
    assert size is not None
    return float(size[1]) * sum(map(int, pages))


class _Status(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "available", "page_total", "page_available")),
        *((name, ctypes.c_ulonglong) for name in ("virtual_total", "virtual_available", "extended")),
    )


def _windows() -> float:
    status = _Status()
    status.length = ctypes.sizeof(status)
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("GlobalMemoryStatusEx failed")
    return float(status.available)

"""Freed memory stays with the process where the C library can be told so."""

import ctypes
import platform
import subprocess
import sys

import pytest

from litgrid.cli import memory

GLIBC = platform.libc_ver()[0] == "glibc"
LARGE = 2**23  # elements: 32 MB, which glibc would give back to the system by default


COUNT = f"""
import resource, sys, torch
from litgrid.cli import memory
assert sys.argv[1] == "given back" or memory.keep_freed_memory()
kept = torch.ones({LARGE})
def steps(number):
    global kept
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(number):
        kept = torch.ones({LARGE}) + kept.mean()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / number
steps(10)
print(steps(20))
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps freed memory")
def test_large_tensors_take_the_memory_of_earlier_ones() -> None:
    """Page faults of a step that makes two large tensors and drops two, in a process of its own."""
    pages = LARGE * 4 / 4096
    faults = {}
    for case in ("kept", "given back"):
        command = [sys.executable, "-c", COUNT, case]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        faults[case] = float(done.stdout)
    assert faults["kept"] < 0.2 * pages
    assert faults["given back"] > pages


def test_other_systems_and_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    assert not memory.keep_freed_memory()

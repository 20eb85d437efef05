"""Freed memory stays with the process where the C library can be told so."""

import ctypes
import platform
import subprocess
import sys

import pytest

from litgrid.cli import memory

GLIBC = platform.libc_ver()[0] == "glibc"
LARGE = 2**24  # elements: 64 MB, which glibc would give back to the system by default


COUNT = f"""
import resource, torch
from litgrid.cli import memory
assert memory.keep_freed_memory()
torch.ones({LARGE})
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones({LARGE})
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps freed memory")
def test_a_large_tensor_takes_the_memory_of_the_last_one() -> None:
    """In a process of its own: in this one, threads of other tests have heaps of their own."""
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    pages = LARGE * 4 / 4096
    assert int(done.stdout) < pages / 10


def test_other_systems_and_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    assert not memory.keep_freed_memory()

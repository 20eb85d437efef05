"""Freed memory stays with the process where the C library can be told so."""

import ctypes
import platform
import sys

import pytest
import torch

from litgrid.cli import memory

GLIBC = platform.libc_ver()[0] == "glibc"
LARGE = 2**24  # elements: 64 MB, which glibc would give back to the system by default


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps freed memory")
def test_a_large_tensor_takes_the_memory_of_the_last_one() -> None:
    import resource  # noqa: PLC0415 (not on Windows)

    assert memory.keep_freed_memory()
    torch.ones(LARGE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(LARGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < LARGE * 4 / 4096 / 10


def test_other_systems_and_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    assert not memory.keep_freed_memory()

"""Counting of tensors' memory, and of what is free."""

from pathlib import Path

import torch

from litgrid.algorithms.allocations import Allocations
from litgrid.algorithms.free_memory import _linux, _macos, free_bytes

KB = 1024


def test_tensors_are_counted_once_and_until_they_are_freed() -> None:
    before = torch.ones(KB)
    with Allocations() as memory:
        first = torch.zeros(KB)
        second = first.view(2, -1)
        assert memory.live == 4 * KB
        first += before  # in place
        before += first
        assert memory.live == 4 * KB
        del first
        assert memory.live == 4 * KB
        third = second + 1.0
        del second
        assert (memory.live, memory.peak) == (4 * KB, 8 * KB)
        constant = torch.tensor([1.0, 2.0])
        assert memory.live == 4 * KB + constant.nbytes
        memory.peak = memory.live
        del third
    assert memory.live == memory.peak - 4 * KB


def test_gradients_and_what_they_need_are_counted() -> None:
    with Allocations() as memory:
        weight = torch.ones(KB, requires_grad=True)
        loss = weight.exp().exp().sum()
        assert memory.live == 4 * 3 * KB + 4  # both results are kept for the gradient
        loss.backward()  # type: ignore[no-untyped-call]
        del loss
        assert memory.live == 4 * 2 * KB


def test_a_container_sees_its_own_limit(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n", encoding="ascii")
    assert _linux(meminfo, tmp_path) == 4000 * KB
    (tmp_path / "memory.current").write_text("1000000\n", encoding="ascii")
    for limit, free in (("max", 4000 * KB), ("3000000", 2e6), ("9000000000", 4000 * KB)):
        (tmp_path / "memory.max").write_text(limit + "\n", encoding="ascii")
        assert _linux(meminfo, tmp_path) == free


def test_pages_of_macos() -> None:
    table = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:   10.\nPages active:  99.\n"
    assert _macos(table + "Pages inactive:    5.\nPages speculative:  1.\n") == 16 * 16384


def test_something_is_free_here() -> None:
    assert free_bytes(torch.device("cpu")) > 1e8

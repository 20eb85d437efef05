"""How much memory tensors take, counted as they are made and freed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MADE_OUTSIDE = torch.ops.aten.lift_fresh.default  # torch.tensor([...]): filled before the dispatcher sees it


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that operations make while it is entered, views once.

    What an operation uses within itself (workspaces of a matrix product) is not seen, and neither is memory that was
    there before.

    Attributes:
        live: bytes of the tensors that are still there.
        peak: highest ``live`` so far; set it to ``live`` to begin anew.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = 0
        self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what is new in its result."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given = set() if func is MADE_OUTSIDE else {id(storage) for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if id(storage) not in given and id(storage) not in self._known:
                self._add(storage)
        self.peak = max(self.peak, self.live)
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self._known.add(id(storage))
        self.live += size
        weakref.finalize(storage, self._forget, id(storage), size)

    def _forget(self, identity: int, size: int) -> None:
        self._known.discard(identity)
        self.live -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [value.untyped_storage() for value in tree_leaves(values) if isinstance(value, Tensor)]

"""Where the time of training goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

Part = Literal["collect", "sample", "update", "validate", "log"]
PARTS: tuple[Part, ...] = get_args(Part)


class Stopwatch:
    """Wall-clock seconds by part since the last reading."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, frames: int = 0, updates: int = 0) -> None:
        """Start anew, at these counts."""
        self._start = time.perf_counter()
        self._counts = frames, updates
        self._seconds: dict[Part, float] = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def measure(self, part: Part) -> Iterator[None]:
        """Add the time of a ``with`` block to a part."""
        start = time.perf_counter()
        yield
        self._seconds[part] += time.perf_counter() - start

    def read(self, frames: int, updates: int) -> dict[str, float]:
        """Return rates and shares since the last reading, and start anew.

        Args:
            frames: so far.
            updates: so far.
        """
        seconds = time.perf_counter() - self._start
        rates = {
            "time/frames_per_second": (frames - self._counts[0]) / seconds,
            "time/updates_per_second": (updates - self._counts[1]) / seconds,
        }
        shares = {f"time/{part}": used / seconds for part, used in self._seconds.items()}
        self.reset(frames, updates)
        return rates | shares


class Clock:
    """Wall-clock seconds of training.

    Attributes:
        earlier: seconds of the run's parts before this one.
    """

    def __init__(self) -> None:
        self.earlier = 0.0
        self._start: float | None = None

    def start(self) -> None:
        """Begin with this part."""
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """So far, of all parts."""
        return self.earlier + (0.0 if self._start is None else time.perf_counter() - self._start)

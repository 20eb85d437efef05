"""Many numbers in few bytes: series as 16-bit integers, compressed, as text that a page can hold."""

from __future__ import annotations

import base64
import gzip
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 32767  # of a signed 16-bit integer


class Series(TypedDict):
    """Where the page finds a series: ``value = integer * scale``."""

    first: int
    """Number of its first integer in the block."""
    length: int
    scale: float
    """The largest magnitude over 32767: values are right to half of it."""


class Pack:
    """A block of series. The page decodes it once (``templates/unpack.js``)."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int16]] = []
        self._length = 0

    def add(self, values: ArrayLike) -> Series:
        """Append a series, flat; returns where it is.

        Raises:
            ValueError: a value is not finite.
        """
        flat: NDArray[Any] = np.asarray(values, dtype=np.float64).ravel()
        if not np.isfinite(flat).all():
            raise ValueError("a series of the page: found values that are not finite, expected numbers")
        scale = float(np.abs(flat).max(initial=0.0)) / LARGEST or 1.0
        self._parts.append(np.rint(flat / scale).astype("<i2"))
        place = Series(first=self._length, length=len(flat), scale=scale)
        self._length += len(flat)
        return place

    def text(self) -> str:
        """The block: little-endian 16-bit integers, gzip, base64."""
        block = b"".join(part.tobytes() for part in self._parts)
        return base64.b64encode(gzip.compress(block, mtime=0)).decode("ascii")

"""Where things lie on the charts that need no script, in percent of their width."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A straight axis.

    Attributes:
        low: value at its left end.
        high: value at its right end, above ``low``.
    """

    low: float
    high: float

    def at(self, value: float) -> float:
        """Percent of the width, 0 to 100; what lies beyond an end is drawn at it."""
        return 100.0 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def holds(self, value: float) -> bool:
        """The value lies between the ends."""
        return self.low <= value <= self.high

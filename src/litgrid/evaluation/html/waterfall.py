"""The CO2 ladder as a waterfall: each rung begins where the one before ended, first at tailpipes, then at the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litgrid.evaluation.html.chart import Axis
from litgrid.evaluation.ladder import Rung


@dataclass(frozen=True)
class Step:
    """What a rung changes in one place.

    Attributes:
        kind: ``direct`` at tailpipes, ``indirect`` at the grid's power plants.
        left: percent of the width.
        width: percent of the width.
        more: it emits more than before.
    """

    kind: str
    left: float
    width: float
    more: bool


@dataclass(frozen=True)
class Fall:
    """A rung.

    Attributes:
        rung: its figures.
        at: where its CO2 lies, in percent of the width.
        steps: from the rung before to it, those of nothing left out; the first rung has none.
    """

    rung: Rung
    at: float
    steps: list[Step]


def waterfall(rungs: Sequence[Rung]) -> list[Fall]:
    """Lay a ladder out."""
    turns = [turn for rung in rungs for turn in _turns(rung)]
    axis = Axis(min(0.0, *turns), max(1e-9, *turns))
    return [Fall(rung, axis.at(rung["co2_kg"]), _steps(rung, axis)) for rung in rungs]


def _turns(rung: Rung) -> tuple[float, float, float]:
    """The CO2 before the rung, after what it changes at tailpipes, and after all of it."""
    after = rung["co2_kg"]
    return after + rung["reduction_kg"], after + rung["indirect_kg"], after


def _steps(rung: Rung, axis: Axis) -> list[Step]:
    before, between, after = _turns(rung)
    parts = (("direct", before, between), ("indirect", between, after))
    return [_step(kind, axis.at(start), axis.at(end)) for kind, start, end in parts if abs(start - end) > 1e-6]


def _step(kind: str, start: float, end: float) -> Step:
    return Step(kind, min(start, end), abs(start - end), end > start)

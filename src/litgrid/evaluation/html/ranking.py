"""The ranking: every controller on one axis between the optimum and the rule, and the table of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from litgrid.evaluation.comparison import Entry
from litgrid.evaluation.html.chart import Axis
from litgrid.evaluation.statistics import Estimate

RULE, OPTIMUM = "self_consumption", "optimum"
MARGIN = 0.04
"""Of the axis, free at either end."""
COLUMNS = (
    ("share of objective", "%", "share_objective", 100.0, 1),
    ("share of bill", "%", "share_bill", 100.0, 1),
    ("share of CO₂", "%", "share_co2", 100.0, 1),
    ("service", "%", "ev_service", 100.0, 2),
    ("CO₂", "t", "co2_kg", 1e-3, 1),
    ("bill", "{currency}", "bill", 1.0, 0),
    ("of it demand charge", "{currency}", "demand_bill", 1.0, 0),
    ("peak", "kW", "peak_kw", 1.0, 0),
    ("PV used", "%", "self_consumption", 100.0, 1),
    ("unserved", "kWh", "ev_unserved_kwh", 1.0, 0),
    ("objective, as metered", "{currency}", "objective", 1.0, 0),
)
"""Heading, unit, figure of the rows, factor, decimals."""


@dataclass(frozen=True)
class Mark:
    """A controller on the axis: its interquartile mean, and the interval where its seeds allow one."""

    entry: Entry
    at: float
    beyond: bool
    span: tuple[float, float] | None


@dataclass(frozen=True)
class Ranking:
    """The chart.

    Attributes:
        marks: in ranking order.
        axis: of the corrected objective.
        references: name -> corrected objective of the rule and of the optimum, as far as they were compared.
    """

    marks: list[Mark]
    axis: Axis
    references: dict[str, float]


def ranking(entries: Sequence[Entry]) -> Ranking:
    """Lay controllers out on an axis of all that serve the vehicles; those that don't may lie beyond its ends."""
    values = {entry.name: entry.standing.objective.value for entry in entries}
    references = {name: values[name] for name in (OPTIMUM, RULE) if name in values}
    axis = _axis([entry for entry in entries if entry.served] or entries, references)
    return Ranking([_mark(entry, axis) for entry in entries], axis, references)


def _axis(entries: Sequence[Entry], references: dict[str, float]) -> Axis:
    ends = [end for entry in entries for end in _ends(entry.standing.objective)]
    low, high = min([*ends, *references.values()]), max([*ends, *references.values()])
    margin = MARGIN * (high - low) or max(1.0, abs(high))
    return Axis(low - margin, high + margin)


def _ends(objective: Estimate) -> list[float]:
    return [end for end in (objective.low, objective.value, objective.high) if end is not None]


def _mark(entry: Entry, axis: Axis) -> Mark:
    objective = entry.standing.objective
    return Mark(entry, axis.at(objective.value), not axis.holds(objective.value), _span(objective, axis))


def _span(objective: Estimate, axis: Axis) -> tuple[float, float] | None:
    """Left end and width of the interval, in percent."""
    if objective.low is None or objective.high is None:
        return None
    return axis.at(objective.low), axis.at(objective.high) - axis.at(objective.low)


def cells(entry: Entry) -> list[float | None]:
    """The figures of ``COLUMNS``, means over the seeds, in their units; None where a seed has none."""
    return [_mean(entry, key, factor) for _, _, key, factor, _ in COLUMNS]


def _mean(entry: Entry, key: str, factor: float) -> float | None:
    values = [row[key] for row in entry.rows]
    return None if None in values else factor * float(sum(values)) / len(values)

"""Agents of several runs beside rules and the optimum, on the same years: all that tables, page and advice are made of.

The contract of whatever shows a comparison: ``Comparison``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from litgrid.evaluation.rollout import Rollout
from litgrid.evaluation.statistics import Floats, Standing
from litgrid.scenarios.scenario_set import ScenarioSet

Kind = Literal["rule", "agent", "bound"]
"""A rule (nothing is trained), an agent, or what sees the future and so bounds the others."""


@dataclass(frozen=True)
class Curve:
    """How a run learned: its validations, P of them.

    Attributes:
        seed: of the run.
        frames: [P] of training so far.
        minutes: [P] wall-clock, so far; NaN where the run does not know.
        objective: [P] of a validation year.
    """

    seed: int
    frames: Floats
    minutes: Floats
    objective: Floats


@dataclass(frozen=True)
class Entry:
    """A controller in the comparison: a rule, or the agents of one algorithm in one experiment, a seed each.

    Attributes:
        name: in tables; an algorithm's, with the experiment before it where there are several (``iquitos-2/sac``).
        kind: rule, agent or bound.
        rows: as of ``evaluate``, one for each seed.
        rollouts: that the rows are the accounts of.
        curves: one for each seed; empty for rules.
        runs: folders, one for each seed; empty for rules.
        served: every row has a service of at least 99 %.
        standing: figures over all seeds and years, with intervals.
    """

    name: str
    kind: Kind
    rows: list[dict[str, Any]]
    rollouts: list[Rollout]
    curves: list[Curve]
    runs: list[Path]
    served: bool
    standing: Standing


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs.

    Attributes:
        setting: dotted name in ``config.yaml``.
        values: name of the run (``sac (seed 0)``) -> value; without runs that do not have the setting.
    """

    setting: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Controllers on the same years.

    Attributes:
        figures: of ``compare --json``: ``site``, ``split``, ``currency``, ``controllers`` (rows, in the order of
            entries), ``ladder`` (of the best agent), ``ladders`` (agent -> its ladder), ``statistics``,
            ``differences``, ``advice`` and, where runs were compared, ``validation`` (rule or optimum ->
            its validation objective).
        entries: in ranking order: bounds and those with full service by corrected objective, then the others.
        differences: between the runs' configurations.
        advice: a paragraph in plain words: which agent to choose, and why.
        scenarios: the years.
    """

    figures: dict[str, Any]
    entries: list[Entry]
    differences: list[Difference]
    advice: str
    scenarios: ScenarioSet

"""Make a comparison of what controllers did in the same years."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from litgrid.evaluation.advice import advise
from litgrid.evaluation.comparison import Comparison, Entry, Kind
from litgrid.evaluation.ladder import total
from litgrid.evaluation.report import LOWEST_SERVICE, payload
from litgrid.evaluation.rollout import Rollout, label
from litgrid.evaluation.runs import curve, differences
from litgrid.evaluation.statistics import Sample, Standing, standings
from litgrid.sim.simulator import Simulator

BOUNDS = ("optimum", "optimum_served", "mpc_perfect")
"""Controllers that see the future."""


class Measured(NamedTuple):
    """A rollout, its row in the figures, and the run that the agent is from."""

    rollout: Rollout
    row: dict[str, Any]
    run: Path | None


def compare(simulator: Simulator, rollouts: Sequence[Rollout], runs: Sequence[Path | None]) -> Comparison:
    """Account for rollouts and rank their controllers; agents of one name are seeds of one entry.

    Args:
        simulator: of the years.
        rollouts: of these years.
        runs: the folder that each rollout's agent is from, None for rules.
    """
    figures = payload(simulator, rollouts)
    groups: dict[str, list[Measured]] = {}
    for measured in map(Measured, rollouts, figures["controllers"], runs):
        groups.setdefault(measured.rollout.controller, []).append(measured)
    found = standings([_sample(name, group) for name, group in groups.items()])
    entries = [_entry(group, standing) for group, standing in zip(groups.values(), found, strict=True)]
    entries.sort(key=lambda entry: (entry.kind != "bound" and not entry.served, entry.standing.objective.value))
    named = {label(each.controller, each.seed): run for each, run in zip(rollouts, runs, strict=True) if run}
    changed, advice = differences(named), advise(entries, simulator.scenarios)
    figures |= _ranked(figures, entries)
    figures |= {"differences": [asdict(row) for row in changed], "advice": advice}
    return Comparison(figures, entries, changed, advice, simulator.scenarios)


def _ranked(figures: dict[str, Any], entries: Sequence[Entry]) -> dict[str, Any]:
    """The figures of a comparison whose order is that of the entries."""
    ladders = {entry.name: figures["ladders"][entry.name] for entry in entries if entry.kind == "agent"}
    ladder = next(iter(ladders.values()), figures["ladder"])
    about = [
        {"kind": entry.kind, "served": entry.served, "runs": [run.as_posix() for run in entry.runs]}
        for entry in entries
    ]
    return {
        "controllers": [row for entry in entries for row in entry.rows],
        "ladder": ladder,
        "ladder_total": total(ladder),
        "ladders": ladders,
        "statistics": [asdict(entry.standing) | more for entry, more in zip(entries, about, strict=True)],
    }


def _sample(name: str, group: Sequence[Measured]) -> Sample:
    costs = [[year["objective_corrected"] for year in one.row["years"]] for one in group]
    return Sample(name, np.array(costs), learned=group[0].run is not None)


def _entry(group: Sequence[Measured], standing: Standing) -> Entry:
    trained = [(one.run, one.rollout.seed) for one in group if one.run is not None and one.rollout.seed is not None]
    rule: Kind = "bound" if standing.controller in BOUNDS else "rule"
    return Entry(
        name=standing.controller,
        kind="agent" if trained else rule,
        rows=[one.row for one in group],
        rollouts=[one.rollout for one in group],
        curves=[curve(run, seed) for run, seed in trained],
        runs=[run for run, _ in trained],
        served=all(one.row["ev_service"] >= LOWEST_SERVICE for one in group),
        standing=standing,
    )

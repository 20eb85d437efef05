"""The CO2 ladder: from gasoline to the agent, one change at a time. Every rung is a simulated year."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

import torch

from litgrid.controllers import make
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator

Kind = Literal["direct", "indirect"]
"""A rung that displaces gasoline, at tailpipes, or electricity of the grid, at its power plants."""
KINDS: dict[str, Kind | None] = {"gasoline": None, "ev_on_grid": "direct"}
"""Of the rungs that are not indirect."""


class Rung(TypedDict):
    """A rung of the ladder: CO2 of a year (mean over the years), and what it saves over the rung before.

    ``reduction_kg`` is ``direct_kg`` (at tailpipes) + ``indirect_kg`` (at the grid's power plants, negative where the
    rung needs more of them). ``kind`` says which of them the rung is for; the first rung saves nothing and has none.
    """

    rung: str
    kind: Kind | None
    co2_kg: float
    reduction_kg: float
    direct_kg: float
    indirect_kg: float


class Emissions(NamedTuple):
    """CO2 of a year by where it is emitted, in kg."""

    tailpipes: float
    grid: float


class Ladders(NamedTuple):
    """The ladder as far as rules climb it, and that of each agent (by name), which goes a rung further."""

    rules: list[Rung]
    agents: dict[str, list[Rung]]


def ladders(simulator: Simulator, rollouts: Sequence[Rollout]) -> Ladders:
    """Climb from vehicles on gasoline, by way of the grid, PV, and the battery with its rule, to each agent.

    Vehicles on gasoline are vehicles that nobody charges: each kWh that they could have got counts with the CO2 of
    the gasoline that it displaces. All rungs serve the same vehicles in the same years, so that the reductions of
    the rungs add up to that of the whole ladder.

    Args:
        simulator: of the years.
        rollouts: of the same years. The uncontrolled site and the self-consumption rule are simulated if they are
            not among them; an agent's rung is the mean over its seeds.
    """
    dark = Simulator(without_pv(simulator.scenarios), simulator.device, simulator.dtype)
    known = {run.controller: [run] for run in rollouts if run.seed is None}

    def simulated(name: str) -> list[Rollout]:
        return known.get(name) or [rollout(simulator, make(name, simulator.scenarios))]

    rungs = {
        "gasoline": emissions([rollout(dark, make("idle", dark.scenarios))]),
        "ev_on_grid": emissions([rollout(dark, make("uncontrolled", dark.scenarios))]),
        "pv": emissions(simulated("uncontrolled")),
        "bess_and_rule": emissions(simulated("self_consumption")),
    }
    seeds: dict[str, list[Rollout]] = {}
    for run in rollouts:
        if run.seed is not None:
            seeds.setdefault(run.controller, []).append(run)
    return Ladders(climb(rungs), {name: climb({**rungs, name: emissions(runs)}) for name, runs in seeds.items()})


def emissions(runs: Sequence[Rollout]) -> Emissions:
    """The CO2 of a year, mean over years and runs."""
    factor = runs[0].scenarios.site.carbon.gasoline_kg_per_kwh
    tailpipes = float(torch.cat([run.flows.ev_unserved.sum(1) for run in runs]).mean()) * factor
    return Emissions(tailpipes, float(torch.cat([run.costs.co2_kg.sum(1) for run in runs]).mean()) - tailpipes)


def climb(masses: dict[str, Emissions]) -> list[Rung]:
    """Turn the CO2 of each rung into a ladder; the first rung reduces nothing."""
    after = list(masses.values())
    return [_rung(*rung) for rung in zip(masses, [after[0], *after[:-1]], after, strict=True)]


def _rung(name: str, before: Emissions, after: Emissions) -> Rung:
    return Rung(
        rung=name,
        kind=KINDS.get(name, "indirect"),
        co2_kg=sum(after),
        reduction_kg=sum(before) - sum(after),
        direct_kg=before.tailpipes - after.tailpipes,
        indirect_kg=before.grid - after.grid,
    )


def total(rungs: Sequence[Rung]) -> dict[str, float]:
    """What the whole ladder saves: ``reduction_kg``, and of it ``direct_kg`` and ``indirect_kg``."""
    return {
        "reduction_kg": sum(rung["reduction_kg"] for rung in rungs),
        "direct_kg": sum(rung["direct_kg"] for rung in rungs),
        "indirect_kg": sum(rung["indirect_kg"] for rung in rungs),
    }


def without_pv(scenarios: ScenarioSet) -> ScenarioSet:
    """Return the same years with a PV plant that gives nothing."""
    series = scenarios.series.clone()
    for key in ("pv_kw", "pv_persistence_kw", "pv_mean7_kw", "pv_day_ahead_kw"):
        series[key] = torch.zeros_like(series[key])
    return dataclasses.replace(scenarios, series=series)

"""The CO2 ladder: from gasoline to the agent, one change at a time. Every rung is a simulated year."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

import torch

from litgrid.controllers import make
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator


class Rung(TypedDict):
    """A rung of the ladder: CO2 of a year (mean over the years), and what it saves over the rung before."""

    rung: str
    co2_kg: float
    reduction_kg: float


def ladder(simulator: Simulator, rollouts: Sequence[Rollout]) -> list[Rung]:
    """Climb from vehicles on gasoline, by way of the grid, PV, and the battery with its rule, to the agent.

    Vehicles on gasoline are vehicles that nobody charges: each kWh that they could have got counts with the CO2 of
    the gasoline that it displaces. All rungs serve the same vehicles in the same years, so that the reductions of
    the rungs add up to that of the whole ladder.

    Args:
        simulator: of the years.
        rollouts: of the same years. The uncontrolled site and the self-consumption rule are simulated if they are
            not among them; the last rung is the first algorithm among them (mean over its seeds), if there is one.
    """
    dark = Simulator(without_pv(simulator.scenarios), simulator.device, simulator.dtype)
    known = {run.controller: [run] for run in rollouts if run.seed is None}

    def simulated(name: str) -> list[Rollout]:
        return known.get(name) or [rollout(simulator, make(name, simulator.scenarios))]

    rungs = {
        "gasoline": [rollout(dark, make("idle", dark.scenarios))],
        "ev_on_grid": [rollout(dark, make("uncontrolled", dark.scenarios))],
        "pv": simulated("uncontrolled"),
        "bess_and_rule": simulated("self_consumption"),
    }
    learned = [run for run in rollouts if run.seed is not None]
    if learned:
        rungs[learned[0].controller] = [run for run in learned if run.controller == learned[0].controller]
    co2_kg = {name: float(torch.cat([run.costs.co2_kg.sum(1) for run in runs]).mean()) for name, runs in rungs.items()}
    return climb(co2_kg)


def climb(co2_kg: dict[str, float]) -> list[Rung]:
    """Turn the CO2 of each rung into a ladder; the first rung reduces nothing."""
    masses = list(co2_kg.values())
    reductions = [0.0, *(before - after for before, after in pairwise(masses))]
    return [
        Rung(rung=name, co2_kg=mass, reduction_kg=reduction)
        for name, mass, reduction in zip(co2_kg, masses, reductions, strict=True)
    ]


def without_pv(scenarios: ScenarioSet) -> ScenarioSet:
    """Return the same years with a PV plant that gives nothing."""
    series = scenarios.series.clone()
    for key in ("pv_kw", "pv_persistence_kw", "pv_mean7_kw", "pv_day_ahead_kw"):
        series[key] = torch.zeros_like(series[key])
    return dataclasses.replace(scenarios, series=series)

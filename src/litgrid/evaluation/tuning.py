"""Tune the numbers of the water-filling rule: many candidates side by side, on the months of years to learn from.

The objective is the project's own. Months run side by side, each on its own (``algorithms.validation``), so that a
candidate is judged in the time of the longest month; what is found is then measured on whole years.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import differential_evolution
from torch import Tensor

from litgrid.algorithms.validation import measure, months
from litgrid.controllers.water_filling import WaterFilling
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.site.rules import WaterFilling as Settings
from litgrid.site.site import Site, replace

Array = NDArray[np.float64]
CANDIDATES = 24
"""Of a generation."""
DIGITS = 3


class Range(NamedTuple):
    """Where a number is looked for."""

    low: float
    high: float


def ranges(site: Site) -> dict[str, Range]:
    """Where the numbers of water filling are looked for."""
    return {
        "load_margin": Range(-0.1, 0.5),
        "pv_margin": Range(0.0, 0.9),
        "load_memory": Range(0.0, 0.98),
        "pv_memory": Range(0.0, 0.98),
        "peak_share": Range(0.0, 1.0),
        "floor_kw": Range(0.0, site.load.peak_kw),
        "precharge_share": Range(0.0, 1.0),
    }


class Tuned(NamedTuple):
    """What a search found."""

    settings: Settings
    evaluations: int
    """Candidates that were tried."""


def tune(scenarios: ScenarioSet, evaluations: int, seed: int, report: Callable[[int, float], None]) -> Tuned:
    """Search the numbers of water filling by differential evolution, from those of the site on.

    Storn and Price, Differential Evolution, J. Global Optimization 11 (1997); a generation is one batch.

    Args:
        scenarios: train years.
        evaluations: candidates to try, at least; whole generations of ``CANDIDATES``.
        seed: of the search.
        report: is told after each generation how many candidates were tried, and the lowest objective of a year.
    """
    if scenarios.split != "train":
        raise ValueError(f"tune: found {scenarios.split} years, expected train years")
    site, within = scenarios.site, ranges(scenarios.site)
    judge = Judge(scenarios, tuple(within))
    tried, lowest = 0, np.inf

    def objective(columns: Array) -> Array:
        nonlocal tried, lowest
        objectives = judge(columns)
        tried, lowest = tried + len(objectives), min(lowest, float(objectives.min()))
        report(tried, lowest)
        return objectives

    low, high = (np.array(ends) for ends in zip(*within.values(), strict=True))
    present = np.array([getattr(site.rules.water_filling, key) for key in within])
    found = differential_evolution(
        objective,
        list(within.values()),
        maxiter=max(1, -(-evaluations // CANDIDATES) - 1),
        init=low + (high - low) * np.random.default_rng(seed).random((CANDIDATES, len(within))),
        x0=np.clip(present, low, high),
        seed=seed,
        tol=0.0,
        polish=False,
        updating="deferred",
        vectorized=True,
    )
    best = {key: round(float(value), DIGITS) for key, value in zip(within, found.x, strict=True)}
    return Tuned(replace(site.rules.water_filling, **best), tried)


class Judge:
    """Mean objective of a year for candidates side by side.

    Args:
        scenarios: the years.
        keys: names of the numbers that a candidate states.
    """

    def __init__(self, scenarios: ScenarioSet, keys: tuple[str, ...]) -> None:
        self._simulator = Simulator(scenarios, dtype=torch.float32)
        self._keys = keys
        self._years = len(scenarios)

    def __call__(self, candidates: Array) -> Array:
        """Objectives [P] of candidates [keys, P]."""
        state, length = months(self._simulator)
        count, episodes = candidates.shape[1], len(length)
        numbers = {
            key: torch.as_tensor(values, dtype=torch.float32).repeat_interleave(episodes)
            for key, values in zip(self._keys, candidates, strict=True)
        }
        sites = State(*(_repeated(part, count) for part in state))
        rule = WaterFilling(self._simulator.site, numbers)
        measured = measure(self._simulator, sites, length.repeat(count), rule, lambda flows, _: flows)
        objectives: Array = measured.objective.view(count, episodes).double().sum(1).numpy() / self._years
        return objectives


def _repeated(part: Tensor, count: int) -> Tensor:
    return part.repeat(count, *(1 for _ in part.shape[1:]))


def with_settings(site: Site, settings: Settings) -> Site:
    """The site with other numbers of water filling."""
    return replace(site, rules=replace(site.rules, water_filling=settings))


def rules_of(site: Site) -> dict[str, Any]:
    """What a site's file says under ``rules``."""
    return dataclasses.asdict(site.rules)

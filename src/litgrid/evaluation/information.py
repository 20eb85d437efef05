"""What a controller's decisions depend on, found by changing it: the present, each forecast, and what nobody knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from litgrid.controllers import Controller
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.sim import tables
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.site import HOURS_PER_DAY, Site

Maker = Callable[[ScenarioSet], Controller]
"""Makes a controller for scenarios."""
Change = Callable[[ScenarioSet, int], ScenarioSet]
"""Makes other years of scenarios and the number of the present step."""
World = tuple[ScenarioSet, View]
"""Years, and what is known of them at a step."""

HOURS = (HOURS_PER_DAY * 8 + 10, HOURS_PER_DAY * 8 + 19, HOURS_PER_DAY * 9 + 3)
"""Hours of the year in which it decides: morning, evening, night; later ones are changed."""
DAYS = 12


@dataclass(frozen=True)
class Knowledge:
    """What changed a controller's decisions.

    Attributes:
        future: something that is not known yet.
        present: load and PV of the present step.
        forecasts: the forecasts that did, of ``sim.tables.FORECASTS``.
    """

    future: bool
    present: bool
    forecasts: list[str]


def knowledge(site: Site, makers: Mapping[str, Maker]) -> dict[str, Knowledge]:
    """Find what controllers decide upon, on random days of a site.

    Args:
        site: whose controllers they are.
        makers: name -> what makes the controller.
    """
    scenarios = random_scenarios(site, steps=DAYS * site.steps_per_day)
    nows = [round(hour / site.step_hours) for hour in HOURS]
    changes: dict[str, Change] = {"nothing": lambda years, _: years, "future": with_other_future}
    changes |= {"present": with_other_present} | {key: _with_other(key) for key in tables.FORECASTS}
    worlds = {name: [_world(change(scenarios, now), now) for now in nows] for name, change in changes.items()}
    return {name: _knowledge(worlds, make) for name, make in makers.items()}


def _knowledge(worlds: Mapping[str, list[World]], make: Maker) -> Knowledge:
    decisions = {name: [make(years).act(view) for years, view in found] for name, found in worlds.items()}

    def depends(name: str) -> bool:
        pairs = zip(decisions["nothing"], decisions[name], strict=True)
        return any(not torch.equal(*pair) for pair in pairs)

    return Knowledge(depends("future"), depends("present"), [key for key in tables.FORECASTS if depends(key)])


def _world(scenarios: ScenarioSet, now: int) -> World:
    return scenarios, view_at(scenarios, now)


def view_at(scenarios: ScenarioSet, now: int) -> View:
    """What both sites know then, in float64: their SOCs and peaks differ."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    site, charges = scenarios.site, len(scenarios.site.tariff.demand)
    peak = site.load.peak_kw * torch.linspace(0.3, 0.7, 2 * charges, dtype=torch.float64).reshape(2, charges)
    return simulator.view(
        simulator.initial(torch.tensor([0, 1]), torch.full((2,), now), torch.tensor([0.35, 0.8]), peak)
    )


def with_other_future(scenarios: ScenarioSet, now: int) -> ScenarioSet:
    """The same years up to the present step, with all that is not known in it made new.

    What is: load and PV from the next row on; forecasts, prices and carbon intensity from a day on; and vehicles that
    have not come yet, which stay away.
    """
    sessions = scenarios.sessions.clone()
    for key in ("arrival", "departure"):
        sessions[key][scenarios.sessions["arrival"] > now] = scenarios.steps
    first = {key: now + (scenarios.site.steps_per_day if key in tables.FORECASTS else 1) for key in SERIES}
    return dataclasses.replace(_made_new(scenarios, first), sessions=sessions)


def with_other_present(scenarios: ScenarioSet, now: int) -> ScenarioSet:
    """The same years with other load and PV from the present row on."""
    return _made_new(scenarios, {"load_kw": now, "pv_kw": now})


def _with_other(key: str) -> Change:
    """What makes a forecast new from the present row on."""
    return lambda scenarios, now: _made_new(scenarios, {key: now})


def _made_new(scenarios: ScenarioSet, first: Mapping[str, int]) -> ScenarioSet:
    """The same years with other values of some series, each from a row on."""
    series = scenarios.series.clone()
    for key, row in first.items():
        draw = torch.Generator().manual_seed(row)
        later = series[key][:, row:]
        series[key][:, row:] = later * 0.5 + torch.rand(later.shape, generator=draw) * later.max()
    return dataclasses.replace(scenarios, series=series)

"""What each flexibility is worth, by the optimum: the battery, the sockets, both, and vehicles that give back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from litgrid.controllers import make
from litgrid.controllers.fleet import fleet_objective
from litgrid.controllers.optimum import served
from litgrid.controllers.solution import relaxed_objective
from litgrid.controllers.stays import cells, stays
from litgrid.evaluation.bound import bound
from litgrid.evaluation.report import align, row
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, replace

CASES = {
    "none": "vehicles at once, no battery",
    "sockets": "vehicles when it is best, no battery",
    "battery": "vehicles at once, with the battery",
    "both": "vehicles when it is best, with the battery",
    "both_v2g": "the same, and V2G at every socket",
    "optimum": "as both, but vehicles may go without",
}
"""All but the last at full service: what a vehicle does not get is no flexibility."""
AT_MOST = ": at most"
"""Of cases whose program is a relaxation."""
LARGE = 1_000_000
"""Steps of stays in a year, above which their programs are too large: all vehicles are taken together then."""
FIGURES = ("objective", "bill", "energy_bill", "demand_bill", "co2_kg", "ev_unserved_kwh", "ev_service")


def flexibility(scenarios: ScenarioSet) -> list[dict[str, Any]]:
    """Find the best with each flexibility, and without any.

    Where the stays have more than ``LARGE`` steps a year, vehicles that can wait are taken together
    (``controllers.fleet``): a relaxation, as that of V2G always is.

    Returns:
        For each of ``CASES``: ``case``, ``relaxation`` and, as means over the years, ``FIGURES``; ``saved`` is by how
        much the objective is below that of ``none``. Of a relaxation, whose schedule no socket could follow, there is
        but the objective; the other figures are None.
    """
    simulator = Simulator(scenarios, dtype=torch.float64)
    large = max(_steps_of_stays(simulator, year) for year in range(len(scenarios))) > LARGE
    at_once = row(rollout(simulator, make("uncontrolled", scenarios)))
    figures = {"none": at_once, "both_v2g": _relaxed(_with_v2g(served(scenarios)), large=large)}
    for case, variant in _variants(scenarios, simulator).items():
        figures[case] = _relaxed(variant, large=True) if large and case != "battery" else bound(variant)
    return [_case(case, figures[case], at_once) for case in CASES]


def _case(case: str, figures: dict[str, Any], at_once: dict[str, Any]) -> dict[str, Any]:
    saved = at_once["objective"] - figures["objective"]
    relaxation = figures["bill"] is None
    return {"case": case, "relaxation": relaxation, **{name: figures[name] for name in FIGURES}, "saved": saved}


def _steps_of_stays(simulator: Simulator, year: int) -> int:
    return sum(len(cells(found.arrival, found.departure).step) for found in stays(simulator, year))


def _relaxed(scenarios: ScenarioSet, *, large: bool) -> dict[str, Any]:
    """Mean objective of the years, at best."""
    simulator, years = Simulator(scenarios, dtype=torch.float64), len(scenarios)
    objective = fleet_objective if large else relaxed_objective
    return dict.fromkeys(FIGURES) | {"objective": sum(objective(simulator, year) for year in range(years)) / years}


def _with_v2g(scenarios: ScenarioSet) -> ScenarioSet:
    """The same years at a site where every socket can discharge its vehicle."""
    fleet = scenarios.site.fleet
    groups = [replace(group, v2g=True) for group in fleet.groups]
    return _at(scenarios, replace(scenarios.site, fleet=replace(fleet, groups=groups, demand_row=None)))


def _variants(scenarios: ScenarioSet, simulator: Simulator) -> dict[str, ScenarioSet]:
    years = served(scenarios)
    battery = replace(years.site.battery, capacity_kwh=0.0)
    return {
        "sockets": _at(years, replace(years.site, battery=battery)),
        "battery": vehicles_at_once(years, simulator),
        "both": years,
        "optimum": scenarios,
    }


def _at(scenarios: ScenarioSet, site: Site) -> ScenarioSet:
    return dataclasses.replace(scenarios, site=site)


def vehicles_at_once(scenarios: ScenarioSet, simulator: Simulator) -> ScenarioSet:
    """The same years with vehicles that charge at once, as part of the load."""
    taken = rollout(simulator, make("uncontrolled", scenarios)).flows.ev
    series, sessions = scenarios.series.clone(), scenarios.sessions.clone()
    series["load_kw"] = series["load_kw"].double() + taken.cpu() / scenarios.site.step_hours
    for key in ("arrival", "departure"):
        sessions[key] = torch.full_like(sessions[key], scenarios.steps)
    return dataclasses.replace(scenarios, series=series, sessions=sessions)


def named(case: Mapping[str, Any]) -> str:
    """A case in words."""
    return CASES[case["case"]] + (AT_MOST if case["relaxation"] else "")


def table(cases: list[dict[str, Any]], currency: str) -> str:
    """The cases for the terminal."""
    figures = ("objective", "saved", "bill", "demand_bill", "co2_kg", "ev_unserved_kwh")
    head = ["best with", "objective", "saved", "bill", "demand", "CO2", "unserved"]
    lines = [[named(case), *(_text(case[name]) for name in figures)] for case in cases]
    return "\n".join(align([head, ["", *[currency] * 4, "kg", "kWh"], *lines]))


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"

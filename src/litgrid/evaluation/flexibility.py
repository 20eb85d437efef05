"""What each flexibility is worth, by the optimum: the battery, the sockets, both, and vehicles that give back."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from litgrid.controllers import make
from litgrid.controllers.optimum import served
from litgrid.controllers.solution import relaxed_objective
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
    "both_v2g": "the same, and V2G at every socket: at most",
    "optimum": "as both, but vehicles may go without",
}
"""All but the last at full service: what a vehicle does not get is no flexibility."""
FIGURES = ("objective", "bill", "energy_bill", "demand_bill", "co2_kg", "ev_unserved_kwh", "ev_service")


def flexibility(scenarios: ScenarioSet) -> list[dict[str, Any]]:
    """Find the best with each flexibility, and without any.

    Returns:
        For each of ``CASES``: ``case``, ``relaxation`` and, as means over the years, ``FIGURES``; ``saved`` is by how
        much the objective is below that of ``none``. Of the relaxation, whose schedule no socket could follow, there is
        but the objective; the other figures are None.
    """
    simulator = Simulator(scenarios, dtype=torch.float64)
    at_once = row(rollout(simulator, make("uncontrolled", scenarios)))
    figures = {case: bound(variant) for case, variant in _variants(scenarios, simulator).items()}
    figures |= {"none": at_once, "both_v2g": dict.fromkeys(FIGURES) | {"objective": _with_v2g(served(scenarios))}}
    return [_case(case, figures[case], at_once) for case in CASES]


def _case(case: str, figures: dict[str, Any], at_once: dict[str, Any]) -> dict[str, Any]:
    saved = at_once["objective"] - figures["objective"]
    return {"case": case, "relaxation": case == "both_v2g", **{name: figures[name] for name in FIGURES}, "saved": saved}


def _with_v2g(scenarios: ScenarioSet) -> float:
    """Mean objective of the years, at best, where every socket can discharge its vehicle."""
    fleet = scenarios.site.fleet
    groups = [replace(group, v2g=True) for group in fleet.groups]
    site = replace(scenarios.site, fleet=replace(fleet, groups=groups, demand_row=None))
    simulator, years = Simulator(_at(scenarios, site), dtype=torch.float64), len(scenarios)
    return sum(relaxed_objective(simulator, year) for year in range(years)) / years


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


def table(cases: list[dict[str, Any]], currency: str) -> str:
    """The cases for the terminal."""
    figures = ("objective", "saved", "bill", "demand_bill", "co2_kg", "ev_unserved_kwh")
    head = ["best with", "objective", "saved", "bill", "demand", "CO2", "unserved"]
    lines = [[CASES[case["case"]], *(_text(case[name]) for name in figures)] for case in cases]
    return "\n".join(align([head, ["", *[currency] * 4, "kg", "kWh"], *lines]))


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"

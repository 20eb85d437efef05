"""What each flexibility is worth, by the optimum: the battery, the sockets, both, and vehicles that give back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch

from litgrid.controllers import make
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
    "both_v2g": "the same, and every socket can discharge its vehicle",
    "both_served": "as both, and no vehicle goes without",
}
PRICELESS = 1e3
"""Price of a kWh unserved at which none is."""
FIGURES = ("objective", "bill", "energy_bill", "demand_bill", "co2_kg", "ev_unserved_kwh", "ev_service")


def flexibility(scenarios: ScenarioSet) -> list[dict[str, Any]]:
    """Find the best with each flexibility, and without any.

    Returns:
        For each of ``CASES``: ``case`` and, as means over the years, ``FIGURES``; ``saved`` is by how much the
        objective is below that of ``none``.
    """
    simulator = Simulator(scenarios, dtype=torch.float64)
    at_once = row(rollout(simulator, make("uncontrolled", scenarios)))
    found = {"none": at_once} | {case: bound(variant) for case, variant in _variants(scenarios, simulator)}
    return [
        {
            "case": case,
            **{name: figures[name] for name in FIGURES},
            "saved": at_once["objective"] - figures["objective"],
        }
        for case, figures in found.items()
    ]


def _variants(scenarios: ScenarioSet, simulator: Simulator) -> Iterator[tuple[str, ScenarioSet]]:
    site = scenarios.site
    no_battery = replace(site, battery=replace(site.battery, capacity_kwh=0.0))
    v2g = replace(site.fleet, groups=[replace(group, v2g=True) for group in site.fleet.groups], demand_row=None)
    served = replace(site.objective, unserved_per_kwh=PRICELESS)
    yield "sockets", _at(scenarios, no_battery)
    yield "battery", vehicles_at_once(scenarios, simulator)
    yield "both", scenarios
    yield "both_v2g", _at(scenarios, replace(site, fleet=v2g))
    yield "both_served", _at(scenarios, replace(site, objective=served))


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
    head = ["best with", "objective", "saved", "bill", "CO2", "unserved"]
    lines = [
        [
            CASES[case["case"]],
            *(f"{case[name]:,.0f}" for name in ("objective", "saved", "bill")),
            f"{case['co2_kg'] / 1e3:,.1f}",
            f"{case['ev_unserved_kwh']:,.0f}",
        ]
        for case in cases
    ]
    return "\n".join(align([head, ["", *[currency] * 3, "t", "kWh"], *lines]))

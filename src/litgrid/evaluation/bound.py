"""The optimum of every year with its certificate: its schedule, replayed in the simulator, costs what was computed."""

from __future__ import annotations

from typing import Any

import torch

from litgrid.controllers.optimum import Optimum
from litgrid.controllers.solution import Solution
from litgrid.evaluation.accounting import Figures, mean, yearly
from litgrid.evaluation.report import align
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator

LARGEST_ERROR = 1e-3
"""Of the replay, relative: beyond it there is no bound."""
MOST_SIMULTANEOUS_KWH = 1e-3
WORST = ("seconds", "variables", "constraints", "replay_relative_error", "simultaneous_kwh", "tie_break")
"""Figures whose highest stands for all years; of the others it is the mean."""


def bound(scenarios: ScenarioSet) -> dict[str, Any]:
    """Solve every year, replay the schedules, and account for them.

    Returns:
        The figures of ``optimum --json``: ``objective`` (the program's), ``replay_objective`` (the simulator's),
        ``replay_relative_error``, ``simultaneous_kwh``, ``tie_break``, ``seconds``, ``variables``, ``constraints``, the
        replay's accounts, and the same of each year under ``years``.

    Raises:
        ArithmeticError: a year has no optimum, or no certificate.
    """
    controller = Optimum(scenarios)
    accounts = yearly(rollout(Simulator(scenarios, dtype=torch.float64), controller))
    years = [certified(*pair) for pair in zip(controller.solutions, accounts, strict=True)]
    return {
        "site": scenarios.site.name,
        "split": scenarios.split,
        "currency": scenarios.site.tariff.currency,
        **mean(years),
        **{name: max(year[name] for year in years) for name in WORST},
        "years": years,
    }


def certified(solution: Solution, account: Figures) -> Figures:
    """The figures of a year.

    Raises:
        ArithmeticError: its schedule does not cost what was computed, or charges and discharges at once.
    """
    error = abs(account["objective"] - solution.objective) / max(1.0, abs(solution.objective))
    if error > LARGEST_ERROR or solution.simultaneous_kwh > MOST_SIMULTANEOUS_KWH:
        raise ArithmeticError(
            f"optimum: found {account['objective']} in the simulator and {solution.simultaneous_kwh} kWh charged and "
            f"discharged at once, expected {solution.objective} and none"
        )
    figures = {name: getattr(solution, name) for name in (*WORST, "objective") if hasattr(solution, name)}
    return account | figures | {"replay_objective": account["objective"], "replay_relative_error": error}


def table(figures: dict[str, Any]) -> str:
    """The bound for the terminal: a line for each year."""
    currency = figures["currency"]
    head = [f"optimum of {figures['site']}", "objective", "bill", "demand", "CO2", "unserved", "service"]
    units = ["", *[currency] * 3, "t", "kWh", "%"]
    lines = [
        [
            f"{figures['split']}, year {number}",
            *(f"{year[name]:,.0f}" for name in ("objective", "bill", "demand_bill")),
            f"{year['co2_kg'] / 1e3:,.1f}",
            f"{year['ev_unserved_kwh']:,.0f}",
            f"{100 * year['ev_service']:.2f}",
        ]
        for number, year in enumerate(figures["years"])
    ]
    return "\n".join([*align([head, units, *lines]), "", *_certificate(figures)])


def _certificate(figures: dict[str, Any]) -> list[str]:
    names = ("variables", "constraints", "seconds", "replay error", "at once, kWh", "tie-break")
    keys = ("variables", "constraints", "seconds", "replay_relative_error", "simultaneous_kwh", "tie_break")
    forms = (",.0f", ",.0f", ".2f", ".1e", ".1e", ".2f")
    lines = [
        [f"year {number}", *(format(year[key], form) for key, form in zip(keys, forms, strict=True))]
        for number, year in enumerate(figures["years"])
    ]
    return align([["certificate", *names], *lines])

"""The bound's figures and its certificate; the value of each flexibility on a site where it can be seen."""

import dataclasses

import pytest
import torch

from litgrid.controllers import make
from litgrid.controllers.optimum import solve
from litgrid.evaluation.bound import bound, certified, table
from litgrid.evaluation.flexibility import CASES, flexibility
from litgrid.evaluation.flexibility import table as flexibility_table
from litgrid.evaluation.report import row
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import DemandCharge, Site, Tariff, replace

BOUNDS = ("optimum", "optimum_served")


def test_the_bound_of_four_hours(four_hours: ScenarioSet) -> None:
    figures = bound(four_hours)
    (year,) = figures["years"]
    assert figures["objective"] == year["objective"]
    assert figures["replay_objective"] == pytest.approx(figures["objective"], abs=1e-6)
    assert figures["replay_relative_error"] < 1e-6
    assert figures["simultaneous_kwh"] < 1e-3
    assert figures["variables"] > 0
    assert "certificate" in table(figures)


def test_there_is_no_bound_without_a_certificate(four_hours: ScenarioSet) -> None:
    (solution,) = solve(four_hours)
    account = {"objective": solution.objective * 1.002}
    with pytest.raises(ArithmeticError, match="in the simulator"):
        certified(solution, account)
    both = dataclasses.replace(solution, simultaneous_kwh=0.01)
    with pytest.raises(ArithmeticError, match=r"0\.01 kWh charged and discharged at once"):
        certified(both, {"objective": solution.objective})


def test_more_flexibility_costs_no_more(small_site: Site) -> None:
    found = {case["case"]: case for case in flexibility(random_scenarios(small_site, 1, 48, seed=3))}
    assert list(found) == list(CASES)
    cost = {case: figures["objective"] for case, figures in found.items()}
    assert cost["none"] >= cost["sockets"] >= cost["both"] >= cost["both_v2g"]
    assert cost["none"] >= cost["battery"] >= cost["both"] >= cost["optimum"]
    for case in ("none", "sockets", "battery", "both"):
        assert found[case]["ev_unserved_kwh"] == pytest.approx(0.0, abs=1e-6)
    assert found["both_v2g"]["relaxation"]
    assert found["both_v2g"]["bill"] is None
    assert found["none"]["saved"] == 0.0
    assert found["sockets"]["saved"] == pytest.approx(cost["none"] - cost["sockets"])
    assert len(flexibility_table(list(found.values()), "PEN").splitlines()) == 2 + len(CASES)


def test_where_stays_are_many_vehicles_are_taken_together(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    scenarios = random_scenarios(small_site, 1, 48, seed=3)
    exact = {case["case"]: case for case in flexibility(scenarios)}
    monkeypatch.setattr("litgrid.evaluation.flexibility.LARGE", 0)
    found = {case["case"]: case for case in flexibility(scenarios)}
    assert [case for case in CASES if found[case]["relaxation"]] == ["sockets", "both", "both_v2g", "optimum"]
    for case in CASES:
        assert found[case]["objective"] <= exact[case]["objective"] + 1e-6
    assert found["battery"] == exact["battery"]
    assert found["sockets"]["saved"] <= 1.5 * exact["sockets"]["saved"], "a bound that says something"
    assert "no battery: at most" in flexibility_table(list(found.values()), "PEN")


def test_the_optimum_at_full_service(small_site: Site) -> None:
    """A demand charge that is dearer than a vehicle's energy for one hour's peak."""
    site = replace(small_site, tariff=Tariff(demand=[DemandCharge(500.0)]))
    scenarios = random_scenarios(site, 1, 48)
    best, full = (row(rollout(Simulator(scenarios, dtype=torch.float64), make(name, scenarios))) for name in BOUNDS)
    assert best["ev_service"] < 0.99
    assert full["ev_unserved_kwh"] == pytest.approx(0.0, abs=1e-6)
    assert best["objective"] < full["objective"]

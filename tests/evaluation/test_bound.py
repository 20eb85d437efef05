"""The bound's figures and its certificate; the value of each flexibility on a site where it can be seen."""

import dataclasses

import pytest

from litgrid.controllers.optimum import solve
from litgrid.evaluation.bound import bound, certified, table
from litgrid.evaluation.flexibility import CASES, flexibility
from litgrid.evaluation.flexibility import table as flexibility_table
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Objective, Site, replace


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
    site = replace(small_site, objective=Objective(unserved_per_kwh=100.0))
    found = {case["case"]: case for case in flexibility(random_scenarios(site, 1, 48, seed=3))}
    assert list(found) == list(CASES)
    cost = {case: figures["objective"] for case, figures in found.items()}
    assert cost["none"] >= cost["sockets"] >= cost["both"] >= cost["both_v2g"]
    assert cost["none"] >= cost["battery"] >= cost["both"]
    assert cost["both_served"] == pytest.approx(cost["both"])  # at 100 a kWh nobody goes without, either
    assert found["both_served"]["ev_unserved_kwh"] == pytest.approx(0.0, abs=1e-6)
    assert found["none"]["saved"] == 0.0
    assert found["sockets"]["saved"] == pytest.approx(cost["none"] - cost["sockets"])
    assert found["battery"]["ev_unserved_kwh"] == found["none"]["ev_unserved_kwh"] == pytest.approx(0.0, abs=1e-9)
    assert len(flexibility_table(list(found.values()), "PEN").splitlines()) == 2 + len(CASES)

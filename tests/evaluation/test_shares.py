"""Shares of what the optimum gains, from figures that can be divided by hand."""

from typing import Any

import pytest

from litgrid.controllers import make
from litgrid.evaluation.report import evaluate, table
from litgrid.evaluation.shares import shares
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Site


def figures(co2_kg: float, bill: float, objective: float) -> dict[str, Any]:
    return {"co2_kg": co2_kg, "bill": bill, "objective": objective}


ROWS = {
    "uncontrolled": figures(100.0, 90.0, 95.0),
    "self_consumption": figures(70.0, 80.0, 85.0),
    "optimum": figures(60.0, 40.0, 45.0),
}


def test_shares_by_hand() -> None:
    found = shares(figures(80.0, 50.0, 90.0), ROWS)
    assert found == {"share_co2": 0.5, "share_bill": 0.75, "share_objective": -0.125}


def test_the_optimum_has_all_and_its_references_nothing() -> None:
    assert set(shares(ROWS["optimum"], ROWS).values()) == {1.0}
    assert shares(ROWS["uncontrolled"], ROWS)["share_co2"] == 0.0
    assert shares(ROWS["self_consumption"], ROWS)["share_bill"] == 0.0


@pytest.mark.parametrize("co2_kg", [99.95, 100.0, 130.0])
def test_there_is_no_share_of_nothing(co2_kg: float) -> None:
    """The optimum emits as much as the reference, or more."""
    rows = ROWS | {"optimum": figures(co2_kg, 40.0, 45.0)}
    assert shares(ROWS["self_consumption"], rows)["share_co2"] is None
    assert shares(figures(0.0, 0.0, 0.0), {name: figures(0.0, 0.0, 0.0) for name in ROWS})["share_bill"] is None


def test_there_is_no_share_without_the_optimum() -> None:
    assert set(shares(ROWS["uncontrolled"], {}).values()) == {None}


def test_references_that_nobody_asked_for_are_simulated_and_not_shown(small_site: Site) -> None:
    scenarios = random_scenarios(small_site, 1, 240)
    found = evaluate(scenarios, [make(name, scenarios) for name in ("idle", "optimum")])
    names = ("idle", "optimum", "uncontrolled", "self_consumption")
    with_references = evaluate(scenarios, [make(name, scenarios) for name in names])
    assert [row["controller"] for row in found["controllers"]] == ["idle", "optimum"]
    assert found["controllers"][1]["share_objective"] == 1.0
    for row, same in zip(found["controllers"], with_references["controllers"], strict=False):
        for name in ("share_co2", "share_bill", "share_objective"):
            assert row[name] == same[name]
    assert "share of the optimum's gain" in table(found)


def test_without_the_optimum_nothing_is_said_of_shares(four_hours: ScenarioSet) -> None:
    found = evaluate(four_hours, [make("idle", four_hours)])
    assert found["controllers"][0]["share_bill"] is None
    assert "share of the optimum's gain" not in table(found)

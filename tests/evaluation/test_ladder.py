"""The CO2 ladder, by hand and added up."""

from collections.abc import Callable

import pytest
import torch

from litgrid.controllers import make
from litgrid.evaluation.ladder import climb, ladder, without_pv
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site

Draw = Callable[..., ScenarioSet]


def test_four_hours_by_hand(four_hours: ScenarioSet) -> None:
    rungs = ladder(Simulator(four_hours, dtype=torch.float64), [])
    assert [rung["rung"] for rung in rungs] == ["gasoline", "ev_on_grid", "pv", "bess_and_rule"]
    # 11 kWh from the grid and 1.4 kWh from gasoline; 12.75 kWh, 7 kWh and 1 kWh from the grid
    assert [rung["co2_kg"] for rung in rungs] == pytest.approx([7.2, 5.1, 2.8, 0.4], abs=1e-6)
    assert [rung["reduction_kg"] for rung in rungs] == pytest.approx([0.0, 2.1, 2.3, 2.4], abs=1e-6)


def test_parts_add_up_and_the_last_rung_is_the_mean_over_an_algorithms_seeds(
    small_site: Site,
    random_scenarios: Draw,
) -> None:
    simulator = Simulator(random_scenarios(small_site, days=7), dtype=torch.float64)
    rule, idle = (rollout(simulator, make(name, simulator.scenarios)) for name in ("self_consumption", "idle"))
    seeds = [type(rule)(**{**vars(run), "controller": "sac", "seed": seed}) for seed, run in enumerate((rule, idle))]
    rungs = ladder(simulator, [rule, *seeds])
    assert rungs[-1]["rung"] == "sac"
    assert rungs[-2]["co2_kg"] == pytest.approx(float(rule.costs.co2_kg.sum(1).mean()), rel=1e-12)
    of_seeds = [float(run.costs.co2_kg.sum(1).mean()) for run in seeds]
    assert rungs[-1]["co2_kg"] == pytest.approx(sum(of_seeds) / 2, rel=1e-12)
    whole = rungs[0]["co2_kg"] - rungs[-1]["co2_kg"]
    assert sum(rung["reduction_kg"] for rung in rungs) == pytest.approx(whole, rel=1e-12)


def test_without_pv_none_is_forecast(small_site: Site, random_scenarios: Draw) -> None:
    lit = random_scenarios(small_site, days=7)
    dark = without_pv(lit).series
    changed = {key for key in dark.keys() if not torch.equal(dark[key], lit.series[key])}  # noqa: SIM118 (a TensorDict)
    assert changed == {key for key in SERIES if key.startswith("pv_")}
    assert all(not dark[key].any() for key in changed)


def test_climb() -> None:
    rungs = climb({"a": 10.0, "b": 4.0, "c": 5.0})
    assert [(rung["rung"], rung["reduction_kg"]) for rung in rungs] == [("a", 0.0), ("b", 6.0), ("c", -1.0)]

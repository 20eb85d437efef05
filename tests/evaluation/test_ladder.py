"""The CO2 ladder, by hand and added up."""

import dataclasses
from collections.abc import Callable

import pytest
import torch

from litgrid.controllers import make
from litgrid.evaluation.ladder import Emissions, climb, ladders, total, without_pv
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site

Draw = Callable[..., ScenarioSet]


def test_four_hours_by_hand(four_hours: ScenarioSet) -> None:
    rungs, agents = ladders(Simulator(four_hours, dtype=torch.float64), [])
    assert agents == {}
    assert [rung["rung"] for rung in rungs] == ["gasoline", "ev_on_grid", "pv", "bess_and_rule"]
    # 11 kWh from the grid and 1.4 kWh from gasoline; 12.75 kWh, 7 kWh and 1 kWh from the grid
    assert [rung["co2_kg"] for rung in rungs] == pytest.approx([7.2, 5.1, 2.8, 0.4], abs=1e-6)
    assert [rung["reduction_kg"] for rung in rungs] == pytest.approx([0.0, 2.1, 2.3, 2.4], abs=1e-6)
    # 1.4 kWh at 2 kg of gasoline; charging them takes 1.75 kWh at 0.4 kg
    assert [rung["direct_kg"] for rung in rungs] == pytest.approx([0.0, 2.8, 0.0, 0.0], abs=1e-6)
    assert [rung["indirect_kg"] for rung in rungs] == pytest.approx([0.0, -0.7, 2.3, 2.4], abs=1e-6)
    assert [rung["kind"] for rung in rungs] == [None, "direct", "indirect", "indirect"]


def test_parts_add_up_and_an_agent_s_rung_is_the_mean_over_its_seeds(small_site: Site, random_scenarios: Draw) -> None:
    simulator = Simulator(random_scenarios(small_site, days=7), dtype=torch.float64)
    rule, idle = (rollout(simulator, make(name, simulator.scenarios)) for name in ("self_consumption", "idle"))
    seeds = [dataclasses.replace(run, controller="sac", seed=seed) for seed, run in enumerate((rule, idle))]
    rungs, agents = ladders(simulator, [rule, *seeds, dataclasses.replace(idle, controller="ppo", seed=0)])
    assert list(agents) == ["sac", "ppo"]
    assert agents["sac"][:-1] == agents["ppo"][:-1] == rungs
    assert rungs[-1]["co2_kg"] == pytest.approx(float(rule.costs.co2_kg.sum(1).mean()), rel=1e-12)
    of_seeds = [float(run.costs.co2_kg.sum(1).mean()) for run in seeds]
    assert agents["sac"][-1]["co2_kg"] == pytest.approx(sum(of_seeds) / 2, rel=1e-12)
    assert agents["ppo"][-1]["co2_kg"] == pytest.approx(of_seeds[1], rel=1e-12)
    assert agents["ppo"][-1]["direct_kg"] < 0.0  # it charges nobody
    for climbed in agents.values():
        whole = total(climbed)
        assert whole["reduction_kg"] == pytest.approx(climbed[0]["co2_kg"] - climbed[-1]["co2_kg"], rel=1e-12)
        assert whole["direct_kg"] + whole["indirect_kg"] == pytest.approx(whole["reduction_kg"], rel=1e-12)


def test_without_pv_none_is_forecast(small_site: Site, random_scenarios: Draw) -> None:
    lit = random_scenarios(small_site, days=7)
    dark = without_pv(lit).series
    changed = {key for key in dark.keys() if not torch.equal(dark[key], lit.series[key])}  # noqa: SIM118 (a TensorDict)
    assert changed == {key for key in SERIES if key.startswith("pv_")}
    assert all(not dark[key].any() for key in changed)


def test_climb() -> None:
    rungs = climb({"gasoline": Emissions(4.0, 6.0), "ev_on_grid": Emissions(0.0, 8.0), "pv": Emissions(1.0, 5.0)})
    assert [(rung["rung"], rung["reduction_kg"]) for rung in rungs] == [("gasoline", 0), ("ev_on_grid", 2), ("pv", 2)]
    assert [(rung["direct_kg"], rung["indirect_kg"]) for rung in rungs] == [(0, 0), (4, -2), (-1, 3)]

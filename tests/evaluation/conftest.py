"""Four hours that can be computed by hand; three weeks in which rules stand in for agents."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
import yaml
from tensordict import TensorDict

from litgrid.controllers import make
from litgrid.evaluation.compare import compare
from litgrid.evaluation.comparison import Comparison
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.random import random_scenarios as draw
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import (
    Battery,
    Carbon,
    DemandCharge,
    Fleet,
    Location,
    Photovoltaics,
    Site,
    SocketGroup,
    Tariff,
)


@pytest.fixture(scope="session")
def four_hours() -> ScenarioSet:
    """PV 0, 10, 6, 0 kW; load 2, 2, 2, 5 kW; a vehicle in the second and third hour that needs 1.4 kWh."""
    site = Site(
        name="four hours",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=12.0, ac_kw=12.0),
        battery=Battery(capacity_kwh=10.0, power_kw=4.0, efficiency_one_way=0.8, initial_soc=0.5),
        fleet=Fleet(groups=[SocketGroup("moto", 1, power_kw=2.0, battery_kwh=2.0, efficiency_one_way=0.8)]),
        tariff=Tariff(demand=[DemandCharge(10.0)]),
        carbon=Carbon(km_per_kwh=20.0, km_per_gallon=100.0, kg_per_gallon=10.0),  # 2 kg/kWh
    )
    random = draw(site, scenarios=1, steps=4)
    series = {
        "pv_kw": [0.0, 10.0, 6.0, 0.0],
        "load_kw": [2.0, 2.0, 2.0, 5.0],
        "price_per_kwh": [0.5] * 4,
        "carbon_kg_per_kwh": [0.4] * 4,
    }
    sessions = {
        "socket": torch.tensor([[0]], dtype=torch.int16),
        "arrival": torch.tensor([[1]], dtype=torch.int32),
        "departure": torch.tensor([[3]], dtype=torch.int32),
        "soc_arrival": torch.tensor([[0.2]]),
        "soc_required": torch.tensor([[0.9]]),
    }
    random.series.update({key: torch.tensor([values]) for key, values in series.items()})
    return ScenarioSet(site, "test", random.series, TensorDict(sessions, batch_size=[1, 1]))


METRICS = """frames,val/objective,time/minutes
0,300000,0.5
320,,0.75
640,200000.4,{minutes}
"""
STAND_INS = {
    ("sac", 0): "self_consumption",
    ("sac", 1): "uncontrolled",
    ("sac", 2): "idle",
    ("<script>alert(1)</script>", 0): "uncontrolled",
}
"""Agent and seed -> the rule that takes its place."""


@pytest.fixture(scope="session")
def stand_ins(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    """Three rules, sac with three seeds, and an agent with a wicked name whose run knows no minutes."""
    scenarios = dataclasses.replace(random_scenarios(small_site, scenarios=2, days=21), split="test")
    simulator = Simulator(scenarios, dtype=torch.float64)
    rules = {name: rollout(simulator, make(name, scenarios)) for name in set(STAND_INS.values())}
    agents, runs = [], []
    for number, ((name, seed), rule) in enumerate(STAND_INS.items()):
        agents.append(dataclasses.replace(rules[rule], controller=name, seed=seed))
        runs.append(tmp_path_factory.mktemp(f"run-{number}"))
        minutes = "" if "script" in name else "2.25"
        (runs[-1] / "metrics.csv").write_text(METRICS.format(minutes=minutes), encoding="utf-8")
        settings = {"seed_everything": seed, "model": {"class_path": name, "rate": 0.1 * (1 + seed)}}
        (runs[-1] / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return compare(simulator, [*rules.values(), *agents], [*[None] * len(rules), *runs])

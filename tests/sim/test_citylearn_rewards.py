"""Rewards beside CityLearn's own reward objects, in a running ``CityLearnEnv``."""

import functools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from litgrid.scenarios.citylearn_folder import STEP_COLUMNS
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim import citylearn_rewards as rewards
from litgrid.sim import citylearn_vehicle_reward
from litgrid.sim.citylearn_vehicle_reward import Weights
from litgrid.sim.district import DistrictFlows, DistrictSimulator
from litgrid.sim.district_parity import load_citylearn, random_actions, run_citylearn

pytest.importorskip("citylearn")

STEPS = 100
OTHER_WEIGHTS = Weights(-1.0, -2.0, -3.0, -4.0, 5.0, 6.0, 7.0)
TO_ZERO = "countdown to 0"  # the reward at departure waits for a 0, which a usual countdown does not reach
CASES = {
    "losses": Features(steps=STEPS, buildings=4, v2g=True, curves=True, losses=True),
    "outage": Features(steps=STEPS, buildings=3, v2g=True, outage=True, dead_band=True),
    "900 s, limits": Features(steps=STEPS, buildings=3, v2g=True, losses=True, limits=True, step_seconds=900),
    TO_ZERO: Features(steps=STEPS, buildings=3, v2g=True, dead_band=True),
}


class Recorder:
    """Stands in for CityLearn's reward function, and asks several of them."""

    def __init__(self, env: Any) -> None:
        from citylearn import reward_function as theirs  # noqa: PLC0415 (an optional dependency)

        about = {**env.get_metadata(), "central_agent": False}
        self.functions = {
            "consumption": theirs.RewardFunction(about),
            "exponent": theirs.RewardFunction(about, exponent=1.7),
            "sac": theirs.IndependentSACReward(about),
            "marl": theirs.MARL(about),
            "solar": theirs.SolarPenaltyReward(about),
            "vehicles": theirs.Electric_Vehicles_Reward_Function(about),
            "weights": theirs.Electric_Vehicles_Reward_Function(about, OTHER_WEIGHTS._asdict()),
            "central": theirs.Electric_Vehicles_Reward_Function({**about, "central_agent": True}),
        }
        self.found: dict[str, list[Any]] = {name: [] for name in self.functions}
        self.env_metadata: Any = None

    def reset(self) -> None:
        """Nothing to reset."""

    def calculate(self, observations: list[Any]) -> list[float]:
        for name, function in self.functions.items():
            self.found[name].append(function.calculate(observations))
        return [0.0] * len(observations)


class Case(NamedTuple):
    """A random district, random actions, and CityLearn's rewards of them."""

    district: District
    actions: torch.Tensor
    rewards: dict[str, torch.Tensor]


def count_to_zero(folder: Path) -> None:
    """Let the countdowns of all chargers end at 0 instead of 1."""
    for path in folder.glob("charger_*.csv"):
        table = pd.read_csv(path)
        table[STEP_COLUMNS[0]] -= 1
        table.to_csv(path, index=False)


@functools.cache
def case(name: str) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        schema = write_random(Path(folder) / "data", CASES[name], 1)
        if name == TO_ZERO:
            count_to_zero(schema.parent)
        district, _ = read_district(schema.parent)
        env = load_citylearn(schema)
    recorder = env.reward_function = Recorder(env)
    actions = random_actions(district, STEPS, 2)
    run_citylearn(env, district, actions)
    return Case(district, actions, {key: torch.tensor(np.array(value)) for key, value in recorder.found.items()})


def flows_of(found: Case) -> DistrictFlows:
    """Ours, [steps, ...] in the place of the batch."""
    # as CityLearn stores them: a SOC at a limit decides whether a term of the vehicles' reward counts
    simulator = DistrictSimulator(found.district, dtype=torch.float64, emulate_float32=True)
    state, record = simulator.initial(torch.tensor([0])), []
    for action in found.actions:
        state, flows = simulator.step(state, action.unsqueeze(0))
        record.append(flows)
    return DistrictFlows(*(torch.cat(parts) for parts in zip(*record, strict=True)))


def all_rewards(found: Case) -> dict[str, torch.Tensor]:
    flows = flows_of(found)
    data = citylearn_vehicle_reward.vehicle_data(found.district, dtype=torch.float64)
    before = torch.cat([data.initial_soc.unsqueeze(0), flows.vehicle_soc[:-1]])
    vehicles = functools.partial(citylearn_vehicle_reward.vehicle_reward, flows, before, torch.arange(STEPS), data)
    return {
        "vehicles": vehicles(),
        "weights": vehicles(weights=OTHER_WEIGHTS),
        "central": vehicles(central=True).sum(-1, keepdim=True),
        "consumption": rewards.reward_function(flows),
        "exponent": rewards.reward_function(flows, 1.7),
        "sac": rewards.reward_function(flows),
        "marl": rewards.marl(flows),
        "solar": rewards.solar_penalty(flows, rewards.battery_homes(found.district)),
    }


@pytest.mark.parametrize("name", CASES)
def test_equal_citylearns(name: str) -> None:
    """100 steps of random actions, every building and step."""
    found = case(name)
    for key, ours in all_rewards(found).items():
        theirs = found.rewards[key]
        assert ours.shape == theirs.shape == (STEPS, 1 if key == "central" else CASES[name].buildings)
        scale = float(theirs.abs().max())
        assert scale > 1.0, key
        assert float((ours - theirs).abs().max()) < 1e-6 * scale, key


def test_by_hand() -> None:
    """Two buildings import 2 and export 3 kWh; only the second has a battery, half full."""
    net = torch.tensor([[2.0, -3.0], [4.0, 1.0]])
    zeros = torch.zeros_like(net)
    flows = DistrictFlows(*[zeros] * len(DistrictFlows._fields))._replace(
        net_kwh=net, bess_soc=torch.tensor([[0.5], [0.25]])
    )
    torch.testing.assert_close(rewards.reward_function(flows, 2.0), torch.tensor([[-4.0, 0.0], [-16.0, -1.0]]))
    torch.testing.assert_close(rewards.marl(flows), torch.tensor([[0.0, 0.0], [-0.8, -0.05]]))
    torch.testing.assert_close(
        rewards.solar_penalty(flows, torch.tensor([1])), torch.tensor([[0.0, -1.5], [0.0, -1.25]])
    )


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ("net_kwh.clamp(min=0.0)", "net_kwh", "consumption"),
        ("net.sum(-1, keepdim=True)", "net", "marl"),
        ("1.0 + net.sign()", "1.0 - net.sign()", "solar"),
        ("index_copy(1, homes, -penalty)", "index_copy(1, homes, -penalty.roll(1, 0))", "solar"),
    ],
)
def test_a_planted_fault_is_found(right: str, wrong: str, key: str, plant: Any) -> None:
    found = case("losses")
    plant(rewards, right, wrong)
    theirs = found.rewards[key]
    assert float((all_rewards(found)[key] - theirs).abs().max()) > 1e-4 * float(theirs.abs().max())


VEHICLE_FAULTS = {
    "previous SOC": ("at.before * at.capacity_kwh + at", "at.soc * at.capacity_kwh + at"),
    "lowest SOC": (" | (energy < at.min_soc * at.capacity_kwh)", ""),
    "highest SOC": ("(energy > at.capacity_kwh) | ", ""),
    "idle charger": ("IDLE_KWH = 0.1", "IDLE_KWH = 2.0"),
    "hours left": ("(district.step_seconds / 3600)", "1.1"),
    "energy as power": ("at.capacity_kwh > at.reach_kwh", "at.capacity_kwh > at.drain_kwh / 2"),
    "within reach": ("<= torch.maximum(at.reach_kwh, at.drain_kwh)", "<= 0.5 * at.reach_kwh"),
    "last hour": ("at.hours_left == 0.0", "at.hours_left == 1.0"),
    "far below": ("weights.soc_under**2", "-weights.soc_under**2"),
    "below": ("2.0 * weights.soc_under *", "weights.soc_under *"),
    "close": ("+ weights.close_soc * ((excess", "- weights.close_soc * ((excess"),
    "own PV": ("weights.extra_self_production, weights.self_ev", "weights.no_car_charging, weights.self_ev"),
    "with the grid": ("- 0.5 *", "+ 0.5 *"),
    "unscaled": (" / (1.0 + base.abs())", ""),
    "next row": ("vehicle = data.vehicle[step]", "vehicle = data.vehicle[step + 1]"),
}


@pytest.mark.parametrize("fault", VEHICLE_FAULTS)
def test_a_planted_fault_of_the_vehicles_reward_is_found(fault: str, plant: Any) -> None:
    """So every term counts in the case."""
    found = case(TO_ZERO)
    plant(citylearn_vehicle_reward, *VEHICLE_FAULTS[fault])
    theirs = found.rewards["vehicles"]
    assert float((all_rewards(found)["vehicles"] - theirs).abs().max()) > 1e-3 * float(theirs.abs().max())


def test_exceeding_the_limits_costs() -> None:
    """The penalty is per kWh, and CityLearn's default is 1; a building that hides its violation pays nothing."""
    found = case("900 s, limits")
    flows = flows_of(found)
    data = citylearn_vehicle_reward.vehicle_data(found.district, dtype=torch.float64)
    free, dear = (
        citylearn_vehicle_reward.vehicle_reward(flows, flows.vehicle_soc, torch.arange(STEPS), data, penalty=price)
        for price in (0.0, 3.0)
    )
    assert float(flows.violation_kwh.max()) > 0.1
    assert sorted(set(data.penalised.tolist())) == [0.0, 1.0]
    torch.testing.assert_close(free - dear, 3.0 * flows.violation_kwh * data.penalised)

"""Rewards beside CityLearn's own reward objects, in a running ``CityLearnEnv``."""

import functools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim import citylearn_rewards as rewards
from litgrid.sim.district import DistrictFlows, DistrictSimulator
from litgrid.sim.district_parity import load_citylearn, random_actions, run_citylearn

pytest.importorskip("citylearn")

STEPS = 100
CASES = {
    "losses": Features(steps=STEPS, buildings=4, v2g=True, curves=True, losses=True),
    "outage": Features(steps=STEPS, buildings=3, v2g=True, outage=True, dead_band=True),
    "900 s, limits": Features(steps=STEPS, buildings=3, v2g=True, losses=True, limits=True, step_seconds=900),
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


@functools.cache
def case(name: str) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        schema = write_random(Path(folder) / "data", CASES[name], 1)
        district, _ = read_district(schema.parent)
        env = load_citylearn(schema)
    recorder = env.reward_function = Recorder(env)
    actions = random_actions(district, STEPS, 2)
    run_citylearn(env, district, actions)
    return Case(district, actions, {key: torch.tensor(np.array(value)) for key, value in recorder.found.items()})


def flows_of(found: Case) -> DistrictFlows:
    """Ours, [steps, ...] in the place of the batch."""
    simulator = DistrictSimulator(found.district, dtype=torch.float64)
    state, record = simulator.initial(torch.tensor([0])), []
    for action in found.actions:
        state, flows = simulator.step(state, action.unsqueeze(0))
        record.append(flows)
    return DistrictFlows(*(torch.cat(parts) for parts in zip(*record, strict=True)))


def all_rewards(found: Case) -> dict[str, torch.Tensor]:
    flows = flows_of(found)
    return {
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
        assert ours.shape == theirs.shape == (STEPS, CASES[name].buildings)
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

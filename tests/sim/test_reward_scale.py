"""The natural scale of rewards, by hand."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from tensordict import TensorDict

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.scenarios.random_district import Features, write_random
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig, make_env
from litgrid.sim.reward_scale import natural_scale
from litgrid.site.site import Objective, Site

OBJECTIVE = Objective(bill=2.0, carbon_per_kg=0.5, unserved_per_kwh=1.0, wear_per_kwh=1.0)


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> District:
    """Two buildings, of which three rows are by hand: imports 2, 0, 1 and 1, 3, 0 kWh."""
    folder = tmp_path_factory.mktemp("scale") / "data"
    write_random(folder, Features(steps=4), seed=0)
    series = {
        "load_kwh": [[9.0, 9.0], [2.0, 1.0], [1.0, 3.0], [4.0, 2.0], [9.0, 9.0]],
        "pv_kwh": [[0.0, 0.0], [0.0, 0.0], [5.0, 0.0], [3.0, 2.5], [0.0, 0.0]],
        "price_per_kwh": [[0.5, 1.0]] * 5,
        "carbon_kg_per_kwh": [[2.0, 0.0]] * 5,
        "outage": [[0.0, 0.0]] * 5,
    }
    values = {key: torch.tensor(rows, dtype=torch.float64) for key, rows in series.items()}
    return dataclasses.replace(read_district(folder)[0], series=TensorDict(values, batch_size=(5, 2)))


def test_a_district_by_hand(district: District) -> None:
    scenarios = DistrictScenarios(district, OBJECTIVE, "train", ((1, 3), (3, 4)))
    # (2 x 0.5 + 0.5 x 2) x 3 kWh in the first building, 2 x 1 x 4 kWh in the second, over three steps
    assert natural_scale(scenarios) == pytest.approx(3.0 / (2.0 * 3.0 + 2.0 * 4.0))


def test_what_costs_nothing_has_no_scale(district: District) -> None:
    free = dataclasses.replace(OBJECTIVE, bill=0.0, carbon_per_kg=0.0)
    with pytest.raises(InputError, match="reward_scale: found 0, but load and PV alone cost nothing here"):
        natural_scale(DistrictScenarios(district, free, "train", ((1, 4),)))


def test_a_site(small_site: Site, random_scenarios: Callable[..., ScenarioSet]) -> None:
    scenarios = random_scenarios(small_site, scenarios=2, days=3)
    series, weight = scenarios.series, small_site.objective
    assert weight.bill is not None
    assert weight.carbon_per_kg is not None
    imported = (series["load_kw"] - series["pv_kw"]).clamp(min=0.0)
    cost = imported * (series["price_per_kwh"] * weight.bill + series["carbon_kg_per_kwh"] * weight.carbon_per_kg)
    assert natural_scale(scenarios) == pytest.approx(1.0 / float(cost.mean()), rel=1e-5)


def test_rewards_have_it(small_site: Site, random_scenarios: Callable[..., ScenarioSet]) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=3)
    scale = natural_scale(scenarios)

    def reward(config: EnvConfig) -> torch.Tensor:
        env = make_env(scenarios, 4, config)
        action = env.reset().set("action", env.action_spec.zero())
        found: torch.Tensor = env.step(action)["next", "reward"]
        return found

    torch.testing.assert_close(reward(EnvConfig(reward_scale=0.0)), reward(EnvConfig(reward_scale=1.0)) * scale)


def test_rewards_of_citylearn_have_no_natural_scale(district: District) -> None:
    scenarios = DistrictScenarios(district, OBJECTIVE, "train", ((1, 4),))
    with pytest.raises(InputError, match="reward_scale: found 0 with reward marl, expected a factor"):
        make_env(scenarios, 1, EnvConfig(reward="marl", reward_scale=0.0, window_hours=2))

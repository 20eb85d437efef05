"""CityLearn as a simulator and as an environment: the same functions of the state, keys, windows and rewards."""

import dataclasses
import logging
from typing import Literal

import numpy as np
import pytest
import torch
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.envs.utils import check_env_specs

from litgrid.scenarios.random import random_scenarios as draw_scenarios
from litgrid.sim.citylearn import CityLearnSimulator, CityLearnSiteEnv, CityLearnYear
from litgrid.sim.env import EnvConfig, SiteEnv, make_env
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, replace

pytest.importorskip("citylearn")


def rows(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64)


def actions(site: Site, steps: int, envs: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(steps, envs, 1 + site.fleet.sockets, generator=generator) * 2.0 - 1.0


def test_flows_and_costs_are_those_of_the_simulator(small_site: Site) -> None:
    """Two scenarios side by side from other rows: every flow and every cost, service and demand charge included."""
    scenarios = draw_scenarios(small_site, 2, 200)
    ours, theirs = (kind(scenarios, dtype=torch.float64) for kind in (Simulator, CityLearnSimulator))
    state = reference = ours.initial(rows(1, 0), rows(30, 77))
    for action in actions(small_site, 100, 2).double():
        state, flows, costs = ours.step(state, action)
        reference, reference_flows, reference_costs = theirs.step(reference, action)
        for mine, other in ((state, reference), (flows, reference_flows), (costs, reference_costs)):
            for name, value in mine._asdict().items():
                torch.testing.assert_close(value, getattr(other, name), rtol=1e-5, atol=2e-5, msg=name)


def test_a_step_is_a_function_of_the_state(small_site: Site) -> None:
    """Stepping from an earlier state again, or two sites of one scenario, changes nothing."""
    scenarios = draw_scenarios(small_site, 1, 60)
    simulator, steps = CityLearnSimulator(scenarios, dtype=torch.float64), actions(small_site, 40, 1).double()
    states = [simulator.initial(rows(0), rows(5))]
    for action in steps:
        states.append(simulator.step(states[-1], action)[0])
    again, pair = states[20], State(*(torch.cat(parts) for parts in zip(states[20], states[0], strict=True)))
    for t in range(20):
        again = simulator.step(again, steps[20 + t])[0]
    for t in range(20):
        pair = simulator.step(pair, torch.cat([steps[20 + t], steps[t]]))[0]
    for name in ("bess_soc", "ev_soc", "peak_kw"):
        expected = torch.cat([getattr(states[40], name), getattr(states[20], name)])
        torch.testing.assert_close(getattr(again, name), expected[:1], rtol=0.0, atol=1e-6)
        torch.testing.assert_close(getattr(pair, name), expected, rtol=0.0, atol=1e-6)


def test_the_data_end_with_the_year(small_site: Site) -> None:
    scenarios = draw_scenarios(small_site, 1, 24)
    simulator = CityLearnSimulator(scenarios)
    state = simulator.initial(rows(0), rows(22))
    for action in actions(small_site, 2, 1):
        state, _, _ = simulator.step(state, action)
    assert state.step.tolist() == [24]
    with pytest.raises(ValueError, match="step 24: CityLearn's data are those of the steps 0 to 23"):
        simulator.step(state, actions(small_site, 1, 1)[0])


@pytest.mark.parametrize("observation", ["flat", "entity"])
@pytest.mark.parametrize("envs", [1, 2])
def test_the_environment_is_that_of_the_simulator(
    small_site: Site, observation: Literal["flat", "entity"], envs: int
) -> None:
    """Same keys and specs, and with one seed the same windows, observations and rewards, over several windows."""
    site = replace(small_site, step_seconds=1800)
    scenarios = draw_scenarios(site, 2, 200)
    config = EnvConfig(window_hours=12, observation=observation)
    citylearn = make_env(scenarios, envs, dataclasses.replace(config, backend="citylearn"), seed=3)
    litgrid = make_env(scenarios, envs, config, seed=3)
    assert isinstance(citylearn, CityLearnSiteEnv)
    assert citylearn.specs == litgrid.specs
    check_env_specs(citylearn)
    citylearn.set_seed(4)
    litgrid.set_seed(4)
    theirs, ours = roll(citylearn, 60), roll(litgrid, 60)
    assert ours["next", "truncated"].sum() == 2 * envs
    assert not theirs["next", "terminated"].any()
    for key, value in ours.items(include_nested=True, leaves_only=True):
        torch.testing.assert_close(theirs[key].float(), value.float(), rtol=1e-5, atol=1e-5, msg=str(key))


def roll(env: SiteEnv, steps: int) -> TensorDictBase:
    """Random actions, over the ends of windows."""
    torch.manual_seed(5)
    return env.rollout(steps, break_when_any_done=False)


def test_the_end_of_the_data_is_truncated(small_site: Site) -> None:
    env = make_env(draw_scenarios(small_site, 1, 30), 1, EnvConfig(window_hours=0, backend="citylearn"))
    episode = env.rollout(100)
    assert episode["next", "done"].flatten().tolist() == [False] * 29 + [True]
    assert episode["next", "truncated"].flatten().tolist() == [False] * 29 + [True]
    assert not episode["next", "terminated"].any()


def test_the_process_is_left_as_it_was(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """CityLearn sets the root logger to INFO with a handler of its own, and silences numpy."""
    before = np.geterr()
    monkeypatch.setattr(logging.getLogger(), "level", logging.ERROR)
    handlers = logging.getLogger().handlers[:]
    CityLearnYear(draw_scenarios(small_site, 1, 24), 0)
    assert logging.getLogger().level == logging.ERROR
    assert logging.getLogger().handlers == handlers
    assert np.geterr() == before

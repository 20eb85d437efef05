"""The TorchRL environment: its specs, its resets, its rewards, and that it can be stopped and resumed anywhere."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tensordict import TensorDict
from torchrl.envs.utils import check_env_specs

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.action_maps import physical
from litgrid.sim.env import EnvConfig, SiteEnv, make_env
from litgrid.sim.physics import State
from litgrid.site.site import Site, replace

RandomScenarios = Callable[..., ScenarioSet]


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=40)


def actions(env: SiteEnv, steps: int, seed: int = 0) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return list(torch.rand((steps, *env.action_spec.shape), generator=draw) * 2 - 1)


def run(env: SiteEnv, tensordict: TensorDict, given: list[torch.Tensor]) -> tuple[TensorDict, TensorDict]:
    """Step with resets; returns the last input for the next step, and everything stacked."""
    steps = []
    for action in given:
        tensordict["action"] = action
        done, tensordict = env.step_and_maybe_reset(tensordict)
        steps.append(done)
    return tensordict, torch.stack(steps)


@pytest.mark.parametrize("config", [{"observation": "flat"}, {"observation": "entity"}, {"window_hours": None}])
def test_specs(scenarios: ScenarioSet, config: dict[str, Any]) -> None:
    check_env_specs(SiteEnv(scenarios, 3, EnvConfig(**({"window_hours": 5} | config))))


def test_actions_are_two_sided_where_sockets_discharge(small_site: Site, random_scenarios: RandomScenarios) -> None:
    groups = [small_site.fleet.groups[0], dataclasses.replace(small_site.fleet.groups[1], v2g=True)]
    site = replace(small_site, fleet=dataclasses.replace(small_site.fleet, groups=groups))
    env = SiteEnv(random_scenarios(site, days=9), 2, EnvConfig())
    assert env.action_spec.space.low.tolist() == [[-1, 0, 0, 0, -1, -1]] * 2
    assert env.action_spec.space.high.tolist() == [[1] * 6] * 2


def test_rewards_are_the_objective_of_the_mapped_action(scenarios: ScenarioSet) -> None:
    configs = [{"sockets": "floor"}, {"sockets": "raw"}, {"battery": "band"}]
    for config in (EnvConfig(reward_scale=0.5, **config) for config in configs):  # type: ignore[arg-type]
        env = SiteEnv(scenarios, 4, config)
        state, (action,) = env._state, actions(env, 1)
        tensordict = env.step(TensorDict({"action": action}, batch_size=[4]))
        moved = physical(config.action_map(None), env.simulator.view(state), action)
        _, _, costs = env.simulator.step(state, moved)
        torch.testing.assert_close(tensordict["next", "reward"], -0.5 * costs.total.unsqueeze(-1))


def test_unserved_energy_can_count_more_in_rewards_alone(scenarios: ScenarioSet) -> None:
    env = SiteEnv(scenarios, 4, EnvConfig(sockets="raw", reward_scale=0.5, unserved_weight=3.0))
    unserved, nothing = 0.0, torch.zeros(4, 6)
    for _ in range(48):
        tensordict = env.step(TensorDict({"action": nothing}, batch_size=[4]))
        assert env.costs is not None
        felt = env.costs.total + 2.0 * env.costs.unserved
        torch.testing.assert_close(tensordict["next", "reward"], -0.5 * felt.unsqueeze(-1))
        unserved += float(env.costs.unserved.sum())
    assert unserved > 10.0
    with pytest.raises(InputError, match=r"unserved_weight: found -1\.0, expected at least 0"):
        EnvConfig(unserved_weight=-1.0)


def test_windows_end_truncated_and_start_anew(scenarios: ScenarioSet) -> None:
    env = SiteEnv(scenarios, 3, EnvConfig(window_hours=6))
    _, steps = run(env, env.reset(), actions(env, 18))
    ends = torch.arange(18) % 6 == 5
    for key in ("done", "truncated"):
        assert torch.equal(steps["next", key][:, :, 0], ends.unsqueeze(-1).expand(18, 3))
    assert not bool(steps["next", "terminated"].any())
    continues = ~ends[:-1]
    before, after = steps["next", "observation"][:-1], steps["observation"][1:]
    assert torch.equal(before[continues], after[continues])
    assert not bool((before[~continues] == after[~continues]).all(-1).any())


def test_a_partial_reset_leaves_the_others_alone(scenarios: ScenarioSet) -> None:
    env = SiteEnv(scenarios, 4, EnvConfig())
    tensordict, _ = run(env, env.reset(), actions(env, 3))
    state = env._state
    chosen = torch.tensor([True, False, False, True]).unsqueeze(-1)
    fresh = env.reset(tensordict.clone().set("_reset", chosen))
    for new, old in zip(env._state, state, strict=True):
        assert torch.equal(new[1:3], old[1:3])
    assert bool((env._state.step != state.step)[[0, 3]].all())
    assert torch.equal(fresh["observation"][1:3], tensordict["observation"][1:3])
    assert (env._end - env._state.step).tolist() == [48, 45, 45, 48]


def test_whole_years_run_from_january_to_december(scenarios: ScenarioSet) -> None:
    env = SiteEnv(scenarios, 2, EnvConfig(window_hours=0))
    _, steps = run(env, env.reset(), actions(env, scenarios.steps + 1))
    assert steps["next", "truncated"][:, 0, 0].nonzero().flatten().tolist() == [scenarios.steps - 1]
    assert env._state.step.tolist() == [1, 1]


@pytest.mark.parametrize("observation", ["flat", "entity"])
def test_a_resumed_run_equals_an_uninterrupted_one(scenarios: ScenarioSet, observation: Any) -> None:
    """Bit for bit, across the end of a window, in another object with another seed."""
    config = EnvConfig(window_hours=7, observation=observation)
    env, resumed = SiteEnv(scenarios, 3, config, seed=1), SiteEnv(scenarios, 3, config, seed=2)
    tensordict, _ = run(env, env.reset(), actions(env, 5))
    saved = {key: value.clone() for key, value in env.state_dict().items()}
    carried = tensordict.clone()
    _, expected = run(env, tensordict, actions(env, 12, seed=1))
    resumed.load_state_dict(saved)
    _, found = run(resumed, carried, actions(env, 12, seed=1))
    assert bool((found == expected).all())


def test_seeds_fix_the_windows(scenarios: ScenarioSet) -> None:
    envs = [SiteEnv(scenarios, 4, EnvConfig(), seed=seed) for seed in (0, 0, 1)]
    first = [env.reset()["observation"] for env in envs]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    for env in envs:
        env.set_seed(9)
    assert torch.equal(envs[0].reset()["observation"], envs[2].reset()["observation"])


def test_the_global_random_state_is_left_alone(scenarios: ScenarioSet) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    env = SiteEnv(scenarios, 2, EnvConfig(window_hours=3))
    run(env, env.reset(), actions(env, 10))
    assert torch.equal(torch.get_rng_state(), before)


def test_make_env_makes_the_back_end_that_is_asked_for(scenarios: ScenarioSet) -> None:
    env = make_env(scenarios, 2, EnvConfig(), seed=3)
    assert type(env) is SiteEnv
    assert isinstance(env._state, State)

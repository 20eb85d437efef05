"""gymnasium's door: its own checks, seeds, and that one site, many sites and ``SiteEnv`` give the same figures."""

import dataclasses
import itertools
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from tensordict import TensorDict

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig, SiteEnv
from litgrid.sim.gym import OLD, GymSite, GymSites, make_site, make_sites
from litgrid.sim.spaces import site_bounds
from litgrid.site.site import Site, replace

RandomScenarios = Callable[..., ScenarioSet]


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=40)


def make_vec(num_envs: int, **arguments: Any) -> Any:
    """``gymnasium.make_vec`` of one tensor program, which before 1.0 has to be asked for."""
    if OLD:
        return gymnasium.make_vec(
            "litgrid/Site-v0", num_envs, vectorization_mode="custom", vector_kwargs=dict(arguments)
        )
    return gymnasium.make_vec("litgrid/Site-v0", num_envs, **arguments)


def equal(one: Any, other: Any) -> None:
    """Nested dicts of numbers and arrays are the same, up to rounding between batch sizes."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            equal(one[key], other[key])
    else:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("observation", ["flat", "entity"])
def test_gymnasiums_own_check_passes(scenarios: ScenarioSet, observation: Any) -> None:
    env = gymnasium.make("litgrid/Site-v0", scenarios=scenarios, config=EnvConfig(observation=observation))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "(?s).*unconventional shape")  # the sockets' features are [N, G]
        check_env(env.unwrapped)


@pytest.mark.parametrize("config", [{}, {"observation": "entity", "sockets": "raw"}])
def test_spaces_hold_what_is_seen(small_site: Site, random_scenarios: RandomScenarios, config: dict[str, Any]) -> None:
    groups = [dataclasses.replace(small_site.fleet.groups[0], v2g=True), small_site.fleet.groups[1]]
    site = replace(small_site, fleet=dataclasses.replace(small_site.fleet, groups=groups))
    env = make_site(scenarios=random_scenarios(site, days=20), config=EnvConfig(**config))
    actions: Any = env.action_space
    assert actions.low.tolist() == [-1, -1, -1, -1, 0, 0]
    env.action_space.seed(0)
    seen = [env.reset(seed=0)[0]] + [env.step(env.action_space.sample())[0] for _ in range(48)]
    assert all(observation in env.observation_space for observation in seen)


def test_bounds_are_finite_and_those_of_the_site(small_site: Site, scenarios: ScenarioSet) -> None:
    space: Any = make_site(scenarios=scenarios).observation_space
    assert space.is_bounded()
    assert site_bounds(small_site)["pv"] == (0.0, 1.0)
    assert site_bounds(small_site)["net"] == (-1.0, 1e6 / 50)
    assert site_bounds(small_site)["peak"] == (0.0, (1e6 + 15 + 3 * 2 + 2 * 7) / 30)


def episodes(env: Any, seed: int | None, steps: int = 9) -> Any:
    """Observations and rewards of the first steps, with resets of a single site."""
    env.action_space.seed(0)
    seen = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observation, reward, _, truncated, _ = env.step(env.action_space.sample())
        seen += [observation, reward]
        if np.ndim(truncated) == 0 and truncated:
            seen.append(env.reset()[0])
    return np.concatenate([np.ravel(values) for values in seen])


@pytest.mark.parametrize("make", [make_site, make_sites])
def test_a_seed_gives_the_same_windows_again(scenarios: ScenarioSet, make: Callable[..., Any]) -> None:
    config = EnvConfig(window_hours=4)
    env = make(scenarios=scenarios, config=config)
    first = episodes(env, 7)
    assert np.array_equal(first, episodes(env, 7))
    assert np.array_equal(first, episodes(make(scenarios=scenarios, config=config), 7))
    assert not np.array_equal(first, episodes(env, 8))
    fresh = [episodes(make(scenarios=scenarios, config=config), None) for _ in range(2)]
    assert not np.array_equal(*fresh)


def test_rewards_are_those_of_the_torchrl_environment(scenarios: ScenarioSet) -> None:
    config = EnvConfig(window_hours=6, reward_scale=0.5)
    env, reference = make_site(scenarios=scenarios, config=config), SiteEnv(scenarios, 1, config)
    env.reset(seed=3)
    reference.load_state_dict(env.site_env.state_dict())
    for step in range(6):
        action = env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(action)
        after = reference.step(TensorDict({"action": torch.as_tensor(action[None])}, batch_size=[1]))["next"]
        assert np.array_equal(observation, after["observation"][0].numpy())
        assert reward == float(after["reward"])
        assert reward == pytest.approx(-0.5 * info["costs"]["total"], rel=1e-6)
        assert (terminated, truncated) == (False, step == 5)
        flows = info["flows"]
        used = flows["load"] + flows["ev"] + flows["bess_charge"] - flows["bess_discharge"] - flows["pv"]
        assert flows["grid_import"] - flows["grid_export"] == pytest.approx(used, abs=1e-4)
        assert flows["ev_sockets"].sum() == pytest.approx(flows["ev"], abs=1e-5)


@pytest.mark.parametrize("observation", ["flat", "entity"])
def test_many_sites_equal_single_ones(scenarios: ScenarioSet, observation: Any) -> None:
    arguments: dict[str, Any] = {"scenarios": scenarios, "config": EnvConfig(window_hours=24, observation=observation)}
    many = make_sites(3, **arguments)
    singles = [make_site(**arguments) for _ in range(3)]
    many.reset(seed=0)
    for number, single in enumerate(singles):
        single.reset(seed=0)
        state = many.site_env.state_dict()
        part = {key: value if key == "generator" else value[number : number + 1] for key, value in state.items()}
        single.site_env.load_state_dict(part)
    for _ in range(12):
        actions = many.action_space.sample()
        together = many.step(actions)
        for number, single in enumerate(singles):
            alone = single.step(actions[number])
            mine = _site(together[:4], number), _site(together[4], number)
            equal(dict(enumerate(mine[0])), dict(enumerate(alone[:4])))
            equal(mine[1], alone[4])


def _site(values: Any, number: int) -> Any:
    """One site's values, without the masks."""
    if isinstance(values, tuple):
        return tuple(_site(value, number) for value in values)
    if isinstance(values, dict):
        return {key: _site(value, number) for key, value in values.items() if not key.startswith("_")}
    return values[number]


def test_make_vec(scenarios: ScenarioSet) -> None:
    env = make_vec(4, scenarios=scenarios, config=EnvConfig(window_hours=3))
    assert isinstance(env.unwrapped, GymSites)
    observation, _ = env.reset(seed=1)
    assert observation.shape == env.observation_space.shape == (4, *env.single_observation_space.shape)
    assert observation.dtype == np.float32
    assert env.action_space.shape == (4, 6)
    for step in range(7):
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert observation in env.observation_space
        assert reward.shape == terminated.shape == truncated.shape == (4,)
        assert reward.dtype == np.float32
        ends = step % 3 == 2 if OLD else step % 4 == 2
        assert truncated.tolist() == [ends] * 4
        assert not terminated.any()
    env.close()


def test_make_vec_of_single_sites(scenarios: ScenarioSet) -> None:
    env = gymnasium.make_vec("litgrid/Site-v0", 2, vectorization_mode="sync", scenarios=scenarios)
    env.reset(seed=1)
    _, reward, *_ = env.step(env.action_space.sample())
    assert (reward < 0).all()


def test_same_step_autoreset_keeps_the_last_observation(scenarios: ScenarioSet) -> None:
    arguments: dict[str, Any] = {"scenarios": scenarios, "config": EnvConfig(window_hours=2)}
    env, reference = make_sites(3, **arguments, autoreset_mode="SameStep"), make_sites(3, **arguments)
    env.reset(seed=5)
    reference.reset(seed=5)
    for step in range(2):
        action = env.action_space.sample()
        observation, reward, _, truncated, info = env.step(action)
        expected, expected_reward, _, _, expected_info = reference.step(action)
        assert truncated.tolist() == [step == 1] * 3
        assert np.array_equal(reward, expected_reward)
    last, costs = ("final_observation", "final_info") if OLD else ("final_obs", "final_info")
    if not OLD:  # otherwise the reference is itself of this mode
        assert np.array_equal(np.stack(info[last]), expected)
        assert np.array_equal(info[costs]["costs"]["total"], expected_info["costs"]["total"])
        assert np.array_equal(observation, reference.step(action)[0])  # the next window
    else:
        assert info[costs][1]["costs"]["total"] == pytest.approx(-100 * reward[1])
    assert info[f"_{last}"].tolist() == info[f"_{costs}"].tolist() == [True] * 3
    assert not np.array_equal(np.stack(info[last]), observation)


def test_next_step_autoreset_ignores_an_action(scenarios: ScenarioSet) -> None:
    env = make_sites(2, scenarios=scenarios, config=EnvConfig(window_hours=1), autoreset_mode="NextStep")
    env.reset(seed=0)
    action = env.action_space.sample()
    assert env.step(action)[3].tolist() == [True, True]
    _, reward, _, truncated, info = env.step(action)
    assert reward.tolist() == [0.0, 0.0]
    assert truncated.tolist() == [False, False]
    assert info == {}
    assert env.step(action)[3].tolist() == [True, True]


def test_windows_end_at_an_episodes_limit(scenarios: ScenarioSet) -> None:
    env = gymnasium.make("litgrid/Site-v0", scenarios=scenarios, max_episode_steps=3)
    env.reset(seed=0)
    assert [env.step(env.action_space.sample())[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("order", list(itertools.permutations(["litgrid", "gymnasium"])))
def test_importing_registers_in_any_order(order: tuple[str, ...]) -> None:
    code = f"""
import sys
import {order[0]}
import {order[1]}
assert gymnasium.spec("litgrid/Site-v0").entry_point == "litgrid.sim.gym:make_site"
assert "torch" not in sys.modules, "importing litgrid has to be fast"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_wrong_use_is_named(scenarios: ScenarioSet) -> None:
    env = make_sites(6, scenarios=scenarios)
    with pytest.raises(ValueError, match=r"action: found shape \[6\], expected \[6, 6\]"):
        env.step(np.zeros(6))
    with pytest.raises(ValueError, match=r"action: found shape \[1, 5\], expected \[1, 6\]"):
        make_site(scenarios=scenarios).step(np.zeros(5))
    with pytest.raises(TypeError, match="render_mode: found 'human', expected None"):
        make_site(scenarios=scenarios, render_mode="human")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"max_episode_steps: found 24, expected None"):
        make_sites(2, scenarios=scenarios, max_episode_steps=24)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        make_site("nowhere.yaml")


def test_years_of_a_site_come_from_the_store(
    small_site: Site, scenarios: ScenarioSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def load(*arguments: Any) -> ScenarioSet:
        asked.extend(arguments)
        return scenarios

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    assert isinstance(make_site(small_site, split="test", folder="folder"), GymSite)
    assert [asked[0], asked[1], str(asked[2])] == [small_site, "test", "folder"]

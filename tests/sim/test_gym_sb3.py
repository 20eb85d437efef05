"""Stable-Baselines3 trains on the site, and the page's examples run as they stand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gymnasium.md"
RandomScenarios = Callable[..., ScenarioSet]
NETWORK = {"net_arch": [32, 32]}  # learners write into their copy
WHY = "Stable-Baselines3 is not installed (the extra sb3)"


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=40)


@pytest.mark.parametrize("observation", ["flat", "entity"])
def test_sac_and_ppo_train(scenarios: ScenarioSet, observation: Any) -> None:
    sb3 = pytest.importorskip("stable_baselines3", reason=WHY)
    arguments: dict[str, Any] = {"scenarios": scenarios, "config": EnvConfig(window_hours=24, observation=observation)}
    policy = "MlpPolicy" if observation == "flat" else "MultiInputPolicy"
    env = gymnasium.make("litgrid/Site-v0", **arguments)
    sac = sb3.SAC(policy, env, learning_starts=50, batch_size=32, buffer_size=300, policy_kwargs=dict(NETWORK), seed=0)
    start = sac.policy.state_dict()["actor.mu.weight"].clone()
    sac.learn(200)
    assert sac.num_timesteps == 200
    assert not bool((sac.policy.state_dict()["actor.mu.weight"] == start).all())
    many = sb3.common.env_util.make_vec_env("litgrid/Site-v0", 2, env_kwargs=arguments)
    ppo = sb3.PPO(policy, many, n_steps=64, batch_size=32, n_epochs=2, policy_kwargs=dict(NETWORK), seed=0)
    ppo.learn(256)
    assert ppo.num_timesteps == 256
    returns = [episode["r"] for episode in ppo.ep_info_buffer]
    assert len(returns) == 2 * (128 // 24)
    assert np.isfinite(returns).all()


def run_example(number: int, scenarios: ScenarioSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run an example of the page, on scenarios that need no building."""
    monkeypatch.chdir(PAGE.parents[1])
    monkeypatch.setattr("litgrid.scenarios.store.load", lambda *_: scenarios)
    example = PAGE.read_text(encoding="utf-8").split("```python\n")[1 + number].partition("```")[0]
    exec(compile(example, str(PAGE), "exec"), {})


def test_the_example_of_one_site(
    scenarios: ScenarioSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("stable_baselines3", reason=WHY)
    run_example(0, scenarios, monkeypatch)
    assert float(capsys.readouterr().out.splitlines()[-1].removeprefix("bill of a window: ")) > 0


def test_the_example_of_many_sites(
    scenarios: ScenarioSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example(1, scenarios, monkeypatch)
    assert capsys.readouterr().out.splitlines()[-1] == "(64, 199) (64,) (64,)"

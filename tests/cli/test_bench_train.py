"""``bench train`` measures and reports; its plain loops have the losses of the algorithms."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensordict import TensorDict
from torch import Tensor

from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Collection
from litgrid.algorithms.execution import total
from litgrid.algorithms.networks import Network
from litgrid.algorithms.on_policy import Advantage, OnPolicy, Weights
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.sac import SAC
from litgrid.cli import bench_sb3, bench_train
from litgrid.cli.main import main
from litgrid.cli.plain import PlainA2C, PlainPPO, PlainSAC, Sites, make_loop
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig, make_env
from litgrid.site.site import Site

NETWORK = Network(hidden=[8, 8], sockets=4)
ENVS, STEPS = 4, 8


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: Callable[..., ScenarioSet]) -> ScenarioSet:
    return random_scenarios(small_site, days=40)


def make(kind: type[Algorithm], scenarios: ScenarioSet, observation: Any, **arguments: Any) -> tuple[Any, Any]:
    """An algorithm without a trainer, and its plain loop with the same weights."""
    torch.manual_seed(0)
    algorithm = kind(
        env=EnvConfig(observation=observation, window_hours=4),
        collection=Collection(ENVS, ENVS * STEPS),
        actor_network=NETWORK,  # type: ignore[call-arg]
        critic_network=NETWORK,
        **arguments,
    )
    loop = make_loop(algorithm, make_env(scenarios, ENVS, algorithm.env_config))
    algorithm.build(loop.spaces)
    loop.actor.load_state_dict(algorithm.actor.state_dict())
    return algorithm, loop


def frames_of(loop: Any) -> TensorDict:
    """Random frames [envs, steps] with windows that end, as TorchRL collects them."""
    before = loop.sites.observation
    parts = []
    for _ in range(STEPS):
        action = torch.rand(ENVS, loop.spaces.actions)
        after, reward, ended = loop.sites.step(action)
        seen, then = (dict(zip(loop.sites.keys, part, strict=True)) for part in (before, after))
        ends = dict.fromkeys(("done", "truncated"), ended[:, None]) | {"terminated": torch.zeros(ENVS, 1).bool()}
        following = TensorDict(then | ends | {"reward": reward[:, None]}, batch_size=ENVS)
        parts.append(TensorDict(seen | {"action": action, "next": following}, batch_size=ENVS))
        before = loop.sites.observation
    frames = torch.stack(parts, 1)
    assert isinstance(frames, TensorDict)
    return frames


def gradients(loss: Tensor, parameters: Any) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(parameters)))


@pytest.mark.parametrize("observation", ["flat", "entity"])
@pytest.mark.parametrize("kind", [PPO, A2C])
def test_advantages_and_losses_are_those_of_the_algorithm(
    scenarios: ScenarioSet, kind: type[OnPolicy], observation: str
) -> None:
    weights = Weights(critic=0.3, entropy=0.01)
    advantage = Advantage(discount=0.9, decay=0.8, normalize=kind is PPO)
    algorithm, loop = make(kind, scenarios, observation, weights=weights, advantage=advantage)
    loop.critic.load_state_dict(algorithm.critic.module.state_dict())
    batch = frames_of(loop)
    with torch.no_grad():
        batch["action_log_prob"] = algorithm.actor.get_dist(batch.clone()).log_prob(batch["action"]) - 0.1
    frames = algorithm.with_advantages(batch)
    rows = [batch["next", key][..., 0].T for key in ("reward", "state_value", "done")]
    mine = loop.advantage(rows[0], batch["state_value"][..., 0].T, rows[1], rows[2])
    assert bool(rows[2].any())
    torch.testing.assert_close(mine.T, batch["advantage"].squeeze(-1))
    seen = tuple(frames[key] for key in loop.sites.keys)
    rest = [frames[key].squeeze(-1) for key in ("action_log_prob", "advantage", "value_target")]
    loss = loop.loss(seen, frames["action"], *(rest if isinstance(loop, PlainPPO) else rest[1:]))
    expected = total(algorithm.loss(frames))
    torch.testing.assert_close(loss, expected)
    theirs = gradients(expected, [*algorithm.actor.parameters(), *algorithm.critic.parameters()])
    for one, other in zip(gradients(loss, [*loop.actor.parameters(), *loop.critic.parameters()]), theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("observation", ["flat", "entity"])
def test_sac_has_the_losses_of_the_algorithm(
    scenarios: ScenarioSet, observation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    algorithm, loop = make(SAC, scenarios, observation, critic_loss="smooth_l1", discount=0.9)
    for mine, theirs in (
        (loop.critics, algorithm.loss.qvalue_network_params),
        (loop.targets, algorithm.loss.target_qvalue_network_params),
    ):
        for number, critic in enumerate(mine):
            with torch.no_grad():
                for key, value in critic.named_parameters():
                    value.copy_(theirs[("module", *key.split("."))][number])
    monkeypatch.setattr(torch, "randn_like", lambda like: torch.full_like(like, 0.5))
    monkeypatch.setattr(torch.distributions.normal, "_standard_normal", lambda *shape, **_: torch.full(shape[0], 0.5))
    sample = frames_of(loop).reshape(-1)
    before, after = (tuple(part[key] for key in loop.sites.keys) for part in (sample, sample["next"]))
    mine = loop.losses(before, sample["action"], sample["next", "reward"].squeeze(-1), after)
    theirs = algorithm.loss(sample)
    for one, key in zip(mine, ("loss_qvalue", "loss_actor", "loss_alpha"), strict=True):
        torch.testing.assert_close(one, theirs[key], atol=1e-5, rtol=1e-4)


def test_plain_sites_start_anew_and_show_last_observations(scenarios: ScenarioSet) -> None:
    sites = Sites(make_env(scenarios, ENVS, EnvConfig(window_hours=4)))
    for step in range(1, 9):
        after, _, ended = sites.step(torch.zeros(ENVS, 1 + scenarios.site.fleet.sockets))
        assert bool(ended.all()) == (step % 4 == 0)
        assert (sites.observation[0] is after[0]) != bool(ended.all())


@pytest.mark.parametrize("kind", [PlainSAC, PlainPPO, PlainA2C])
def test_plain_loops_learn(scenarios: ScenarioSet, kind: type[Any]) -> None:
    name = kind.__name__.removeprefix("Plain").lower()
    algorithm = bench_train.make_algorithm(name, 64, "entity")
    loop = make_loop(algorithm, make_env(scenarios, 64, algorithm.env_config))
    assert isinstance(loop, kind)
    weights = [value.clone() for value in loop.actor.parameters()]
    while not loop.updates:
        loop.iterate()
    assert loop.frames >= algorithm.collection.frames_per_batch
    assert all(not torch.equal(old, new) for old, new in zip(weights, loop.actor.parameters(), strict=True))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_bench_train_reports_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str) -> None:
    target = tmp_path / "bench.json"
    options = ["--envs", "8", "--sockets", "4", "--seconds", "0.05", "--repeats", "1", "--observation", "entity"]
    assert main(["bench", "train", *options, "--sb3", "false", "--precision", precision, "--json", str(target)]) == 0
    figures = json.loads(target.read_text(encoding="utf-8"))
    assert figures["machine"]["cores"] >= 1
    rows = figures["rows"]
    assert [(row["algorithm"], row["implementation"]) for row in rows] == [
        (name, by) for name in ("sac", "ppo", "a2c") for by in ("litgrid", "plain")
    ]
    for row in rows:
        assert (row["device"] == "cpu") != torch.cuda.is_available()
        assert (row["precision"], row["envs"], row["backend"]) == (precision, 8, "litgrid")
        assert row["frames_per_second"] > 0
        assert row["updates_per_second"] > 0
        assert 0.5 < sum(row[f"share_{part}"] for part in bench_train.SHARES) <= 1.0
    assert [row["ratio_to_plain"] for row in rows if row["implementation"] == "plain"] == [1.0, 1.0, 1.0]
    assert "updates/s" in capsys.readouterr().out


def test_updates_per_frame_are_those_of_the_settings(scenarios: ScenarioSet) -> None:
    """SAC: 4 updates per 64 frames. PPO: 2 passes of one minibatch over 1,024 frames."""
    for name, per_frame in (("sac", 4 / 64), ("ppo", 2 / 1024), ("a2c", 1 / 512)):
        algorithm = bench_train.make_algorithm(name, 64, "entity")
        figures = bench_train.measure_litgrid(algorithm, scenarios, "cpu", "32-true", 0.05)
        assert figures["updates_per_second"] / figures["frames_per_second"] == pytest.approx(per_frame)


def test_stable_baselines_has_a_row(scenarios: ScenarioSet, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed (the extra sb3)")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "citylearn" else found(name))
    for name in bench_train.ALGORITHMS:
        (row,) = bench_sb3.measure(bench_train.make_algorithm(name, 1, "flat"), scenarios, 0.01)
        assert (row["algorithm"], row["implementation"], row["backend"]) == (name, "sb3", "litgrid")
        assert row["frames_per_second"] > row["updates_per_second"] * 0.99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--envs", "1,x"], "--envs: found '1,x', expected whole numbers from 1 on, as in 8,64,512"),
        (["--algorithms", "[dqn]"], "dqn"),
        (["--precision", "8"], '"precision"'),
    ],
)
def test_wrong_options_are_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "train", *options]) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert captured.count("\n") == 1

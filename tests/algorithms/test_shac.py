"""Gradients through the simulator, the arithmetic of the return and of its targets, and what SHAC learns and keeps."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningDataModule, Trainer
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Binary, Bounded, Composite, Unbounded
from torchrl.envs import EnvBase

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.base import Budget, Collection
from litgrid.algorithms.data import ScenarioData, Ticks
from litgrid.algorithms.horizons import Horizons
from litgrid.algorithms.keeping import Checkpoints
from litgrid.algorithms.metrics import MetricsFile, read_metrics
from litgrid.algorithms.networks import Network, Spaces, deterministic_action, make_gaussian_actor
from litgrid.algorithms.shac import SHAC, LearningRates, Regression
from litgrid.algorithms.sources import SiteYears
from litgrid.algorithms.validation import Validation
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim import linear_quadratic as lq
from litgrid.sim.env import EnvConfig, SiteEnv
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, Years, replace

NETWORK = Network(hidden=[8, 8], sockets=4, activation="silu")
ENVS, STEPS = 4, 12


def exact_env(site: Site, config: EnvConfig, monkeypatch: pytest.MonkeyPatch) -> SiteEnv:
    """Environments in double precision."""
    monkeypatch.setattr(SiteEnv, "simulator_class", staticmethod(partial(Simulator, dtype=torch.float64)))
    return SiteEnv(random_scenarios(site, 2, 24 * 60), ENVS, config, seed=3)


def policy(env: EnvBase) -> Any:
    """A policy in double precision whose actions are all over their range."""
    torch.manual_seed(0)
    actor = make_gaussian_actor(Spaces.of(env), NETWORK, 0.3).double()
    with torch.no_grad():
        for parameter in actor.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return actor


@pytest.mark.parametrize("observation", ["entity", "flat"])
@pytest.mark.parametrize("sockets", ["floor", "raw"])
@pytest.mark.parametrize("window_hours", [48, 5])
def test_the_gradient_of_a_rollout_is_the_slope_of_its_rewards(
    small_site: Site, observation: Any, sockets: Any, window_hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along random directions in the space of all weights, with the same noise and the same windows."""
    config = EnvConfig(window_hours, observation, sockets, reward_scale=0.1)
    env = exact_env(small_site, config, monkeypatch)
    actor = policy(env)
    start = env.state_dict()
    parameters = list(actor.parameters())

    def reward() -> Tensor:
        env.load_state_dict(start)
        rollout = Horizons(env, actor, STEPS)
        env.load_state_dict(start)  # making it drew new windows
        done = {key: torch.zeros(ENVS, 1, dtype=torch.bool) for key in ("done", "terminated", "truncated")}
        rollout._carrier = TensorDict(env._observe(env.state, env._view) | done, batch_size=[ENVS])
        torch.manual_seed(5)
        total: Tensor = next(iter(rollout))["next", "reward"].sum()
        return total

    gradient = torch.autograd.grad(reward(), parameters, materialize_grads=True)
    assert all(bool(part.abs().max() > 0.0) for part in gradient)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        expected = sum(float((g * d).sum()) for g, d in zip(gradient, direction, strict=True))
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                for parameter, part in zip(parameters, direction, strict=True):
                    parameter.add_(step * part)
                values.append(float(reward()))
        with torch.no_grad():
            for parameter, part in zip(parameters, direction, strict=True):
                parameter.add_(1e-6 * part)
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected, rel=1e-4)


def test_gradients_end_with_the_batch(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """States go on, what led to them is forgotten; one batch's rewards depend on the policy through its states."""
    env = exact_env(small_site, EnvConfig(observation="entity"), monkeypatch)
    batches = iter(Horizons(env, policy(env), STEPS))
    first, second = next(batches), next(batches)
    assert torch.equal(first["next", "site"][:, -1], second["site"][:, 0])
    for batch in (first, second):  # were the second one's graph tied to the first one's, that would be gone by then
        batch["next", "reward"].sum().backward()
    assert not any(value.requires_grad for value in env.state_dict().values())


@pytest.mark.slow
@pytest.mark.parametrize("battery", ["raw", "band"])
def test_compiled_steps_have_the_gradients_of_eager_ones(small_site: Site, battery: Any) -> None:
    """A step of the environment, along the action and the state."""
    gradients = []
    for compiled in (False, True):
        config = EnvConfig(observation="entity", battery=battery, compile=compiled, reward_scale=0.1)
        env = SiteEnv(random_scenarios(small_site, 2, 24 * 60), ENVS, config, seed=3)
        torch.manual_seed(0)
        actor = make_gaussian_actor(Spaces.of(env), NETWORK, 0.3)
        rollout = Horizons(env, actor, STEPS)
        torch.manual_seed(5)
        total = next(iter(rollout))["next", "reward"].sum()
        gradients.append(torch.autograd.grad(total, list(actor.parameters()), materialize_grads=True))
    for eager, fused in zip(*gradients, strict=True):
        torch.testing.assert_close(fused, eager, rtol=1e-3, atol=1e-4 * float(eager.abs().max()))


def test_a_network_may_leave_out_the_sockets(small_site: Site) -> None:
    """It has one action for all of them, and still learns it."""
    env = SiteEnv(random_scenarios(small_site, 2, 24 * 10), ENVS, EnvConfig(observation="entity"), seed=3)
    torch.manual_seed(0)
    actor = make_gaussian_actor(Spaces.of(env), dataclasses.replace(NETWORK, sockets=0), 0.1)
    batch = next(iter(Horizons(env, actor, STEPS)))
    assert bool((batch["loc"][..., 1:] == batch["loc"][0, 0, 1]).all())
    assert bool((batch["loc"][..., 0] != batch["loc"][0, 0, 0]).any())
    batch["next", "reward"].sum().backward()
    (bias,) = [value for key, value in actor.named_parameters() if key.endswith("head.bias")]
    assert bias.grad is not None
    assert float(bias.grad.abs().max()) > 0.0


def make(**arguments: Any) -> SHAC:
    """SHAC with a budget of a few updates."""
    defaults: dict[str, Any] = {
        "env": EnvConfig(observation="entity", window_hours=6),
        "collection": Collection(envs=4, frames_per_batch=16),
        "budget": Budget(total_frames=128, frames_per_epoch=64, batches_per_row=2),
        "actor_network": NETWORK,
        "critic_network": NETWORK,
        "regression": Regression(minibatch=8),
    }
    return SHAC(**defaults | arguments)


def rewarded(small_site: Site) -> tuple[SHAC, TensorDictBase]:
    """An algorithm whose V(s) is 10, and a batch of two environments and three steps."""
    algorithm = make(discount=0.5, regression=Regression(decay=0.5))
    shapes = spaces(SiteYears(small_site).sample(), algorithm.env_config)
    algorithm.build(shapes)
    with torch.no_grad():
        for parameter in algorithm.target.parameters():
            parameter.zero_()
        algorithm.target.module.module.mlp[-1].bias.fill_(10.0)  # type: ignore[index,union-attr]
    seen = {key: torch.rand(2, 3, *shape) for key, shape in shapes.shapes.items()}
    no = torch.zeros(2, 3, 1, dtype=torch.bool)
    reward = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]).unsqueeze(-1)
    after = {"reward": reward, "done": no, "terminated": no.clone(), "truncated": no.clone()}
    frames: dict[str, Any] = {**seen, "next": TensorDict({**seen, **after}, batch_size=[2, 3])}
    return algorithm, TensorDict(frames, batch_size=[2, 3])


def test_the_return_of_a_horizon(small_site: Site) -> None:
    algorithm, batch = rewarded(small_site)
    whole = [1.0 + 0.5 * 2.0 + 0.25 * 4.0 + 0.125 * 10.0, 8.0 + 0.5 * 16.0 + 0.25 * 32.0 + 0.125 * 10.0]
    assert (algorithm.horizon_return(batch) * 3.0).tolist() == pytest.approx(whole)
    for key in ("done", "truncated"):
        batch["next", key][0, 0] = True  # another window begins, and discounting with it
    cut = 1.0 + 0.5 * 10.0 + 4.0 * 0.5 + 2.0 + 0.25 * 10.0
    assert (algorithm.horizon_return(batch) * 3.0).tolist() == pytest.approx([cut, whole[1]])
    batch["next", "terminated"][0, 0] = True
    assert (algorithm.horizon_return(batch) * 3.0).tolist() == pytest.approx([cut - 5.0, whole[1]])


def test_the_targets_of_the_critic(small_site: Site) -> None:
    """G_t = r + gamma ((1 - lambda) V' + lambda G_t+1), and V' where the horizon or a window ends."""
    algorithm, batch = rewarded(small_site)
    for key in ("done", "truncated"):
        batch["next", key][1, 1] = True
    last = 4.0 + 0.5 * 10.0
    middle = 2.0 + 0.5 * (5.0 + 0.5 * last)
    first = [1.0 + 0.5 * (5.0 + 0.5 * middle), middle, last]
    second = [8.0 + 0.5 * (5.0 + 0.5 * 21.0), 16.0 + 5.0, 32.0 + 5.0]
    assert algorithm.with_targets(batch)["value_target"].flatten().tolist() == pytest.approx([*first, *second])


def test_the_value_at_the_end_passes_gradients_on(small_site: Site) -> None:
    algorithm, batch = rewarded(small_site)
    torch.manual_seed(0)
    for parameter in algorithm.target.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    batch["next", "site"].requires_grad_()
    algorithm.horizon_return(batch).sum().backward()  # type: ignore[no-untyped-call]
    slope = batch["next", "site"].grad
    assert slope is not None
    assert bool((slope[:, -1] != 0.0).any())
    assert not bool((slope[:, :-1] != 0.0).any())
    assert all(parameter.grad is None for parameter in algorithm.target.parameters())


class LevelLoad(EnvBase):
    """The battery of ``sim/linear_quadratic.py`` for B environments at once, differentiable."""

    def __init__(self, envs: int, seed: int) -> None:
        super().__init__(device="cpu", batch_size=torch.Size([envs]))
        self.generator = torch.Generator().manual_seed(seed)
        shape = torch.Size([envs])
        self.observation_spec = Composite(observation=Unbounded(shape=(envs, 2)), shape=shape)
        self.action_spec = Bounded(-1.0, 1.0, shape=(envs, 1))
        self.reward_spec = Unbounded(shape=(envs, 1))
        flag = Binary(shape=(envs, 1), dtype=torch.bool)
        self.done_spec = Composite(done=flag, terminated=flag.clone(), truncated=flag.clone(), shape=shape)

    def _uniform(self, half: Tensor, columns: int) -> Tensor:
        return (2.0 * torch.rand(*self.batch_size, columns, generator=self.generator) - 1.0) * half

    def _values(self) -> dict[str, Tensor]:
        over = torch.full((*self.batch_size, 1), self.steps == lq.STEPS)
        done = {"done": over, "truncated": over.clone(), "terminated": torch.zeros_like(over)}
        return {"observation": self.seen, **done}

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDictBase:  # noqa: ARG002
        self.seen, self.steps = self._uniform(torch.tensor(lq.START, dtype=torch.float32), 2), 0
        return TensorDict(self._values(), batch_size=self.batch_size)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        soc, load = self.seen[:, :1], self.seen[:, 1:]
        power = tensordict["action"].clamp(-1.0, 1.0)
        cost = (load + power) ** 2 + lq.SOC_WEIGHT * soc**2
        noise = self._uniform(torch.tensor(lq.NOISE), 1)
        self.seen = torch.cat([soc + lq.PER_STEP * power, lq.PERSISTENCE * load + noise], -1)
        self.steps += 1
        return TensorDict({**self._values(), "reward": -lq.REWARD_SCALE * cost}, batch_size=self.batch_size)

    def _set_seed(self, seed: int | None) -> None:
        raise NotImplementedError

    def detach_state(self) -> None:
        """Forget how the environments came to where they stand."""
        self.seen = self.seen.detach()


class LevelData(LightningDataModule):
    """What algorithms ask of a data module, without validation."""

    train = None

    def make_env(self, envs: int, config: EnvConfig, device: torch.device, seed: int) -> LevelLoad:  # noqa: ARG002
        """Return the environments to train in."""
        return LevelLoad(envs, seed)

    def train_dataloader(self) -> Ticks:
        """Return the ticks of an epoch."""
        assert self.trainer is not None
        return Ticks(int(self.trainer.lightning_module.ticks_per_epoch))  # type: ignore[arg-type]


def test_it_learns_the_law_of_a_battery_whose_optimum_is_known() -> None:
    """From 12,800 frames to 0.03 of the optimum's -1.1; PPO comes to -1.4 from 16,384 (docs/known-tasks.md)."""
    algorithm = make(
        env=EnvConfig(),
        collection=Collection(envs=16, frames_per_batch=160),
        budget=Budget(total_frames=12_800, frames_per_epoch=12_800),
        actor_network=Network(hidden=[32], activation="silu"),
        critic_network=Network(hidden=[32], activation="silu"),
        discount=lq.DISCOUNT,
        regression=Regression(minibatch=160, epochs=4),
        learning_rates=LearningRates(actor=1e-2, critic=1e-2, final=0.1),
        initial_spread=0.03,
    )
    fit(algorithm, LevelData())
    optimum = -torch.tensor(lq.gain(), dtype=torch.float32).T
    best = discounted(lambda seen: seen @ optimum)
    assert best == pytest.approx(lq.expected_return(), abs=0.1)  # the mean of all episodes
    learned = discounted(lambda seen: deterministic_action(algorithm.actor, TensorDict(observation=seen)))
    assert best - 0.03 < learned <= best + 1e-3


@torch.no_grad()
def discounted(act: Callable[[Tensor], Tensor]) -> float:
    """Mean return of 2,000 episodes, the same for all policies."""
    env = LevelLoad(2_000, seed=9)
    observed, total = env.reset(), 0.0
    for step in range(lq.STEPS):
        observed["action"] = act(observed["observation"])
        observed = env.step(observed)["next"]
        total += lq.DISCOUNT**step * float(observed["reward"].mean())
    return total


def fit(algorithm: SHAC, data: LightningDataModule, folder: Path | None = None, resume: Path | None = None) -> Trainer:
    """Train; into a folder, with validations and checkpoints, where one is given."""
    logger = MetricsFile(folder, list(algorithm.METRICS)) if folder else False
    callbacks = [Checkpoints(folder / "checkpoints")] if folder else None
    trainer = Trainer(
        max_epochs=algorithm.budget.total_frames // algorithm.budget.frames_per_epoch,
        limit_val_batches=1.0 if folder else 0,
        logger=logger,
        callbacks=callbacks,  # type: ignore[arg-type]
        enable_checkpointing=folder is not None,
        accelerator="cpu",
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(algorithm, datamodule=data, ckpt_path=resume)
    return trainer


@pytest.fixture
def site(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The small site with random weeks in place of years."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 24 * 7, seed=len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.algorithms.base.validate", lambda *_: Validation(1.0, 1.0, 1.0))
    return replace(small_site, years=Years(1, 1, 1))


@pytest.mark.parametrize("observation", ["entity", "flat"])
def test_a_fit_counts_and_logs(site: Site, tmp_path: Path, observation: Any) -> None:
    algorithm = make(env=EnvConfig(observation=observation, window_hours=6))
    trainer = fit(algorithm, ScenarioData(site), tmp_path)
    assert algorithm.frames == 128
    passes = 2 * 2  # epochs x minibatches of a batch
    assert algorithm.updates == trainer.global_step == 128 // 16 * (1 + passes)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert list(rows[0]) == ["frames", *SHAC.METRICS]
    trained = [row for row in rows if row["loss/actor"]]
    assert [int(row["frames"]) for row in trained] == [32, 64, 96, 128]
    assert all(row[key] for row in trained for key in SHAC.METRICS if not key.startswith(("val/", "train/return")))
    left = 1.0 - 0.9 * 112 / 128  # before the last batch
    assert [group["lr"] for group in trainer.optimizers[0].param_groups] == pytest.approx([2e-3 * left, 1e-3 * left])


def test_networks_targets_and_moments_are_taken_up(site: Site, tmp_path: Path) -> None:
    """tests/cli/test_interruptions.py has runs that go on bit for bit."""
    first, again = make(), make()
    one = fit(first, ScenarioData(site), tmp_path)
    two = fit(again, ScenarioData(site), tmp_path, resume=tmp_path / "checkpoints" / "last.ckpt")
    assert any(key.startswith("target.") for key in first.state_dict())
    for key, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=0.0, atol=0.0)
    moments = [next(iter(trainer.optimizers[0].state.values()))["exp_avg"] for trainer in (one, two)]
    assert torch.equal(*moments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": EnvConfig(backend="citylearn")}, "env.backend: found citylearn, expected litgrid"),
        ({"collection": Collection(4, 16, workers=2)}, "collection.workers: found 2, expected 0"),
        ({"execution": "cuda_graph"}, "execution: found cuda_graph, expected eager or compiled for SHAC"),
        ({"discount": 1.5}, "discount: found 1.5, expected a number from 0 to 1"),
    ],
)
def test_what_gradients_do_not_flow_through_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Regression, {"epochs": 0}, "regression.epochs: found 0, expected at least 1"),
        (Regression, {"target_rate": 2.0}, "regression.target_rate: found 2.0, expected a number from 0 to 1"),
        (LearningRates, {"final": -0.1}, "learning_rates.final: found -0.1, expected a number from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(kind: type, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind(**arguments)


def test_several_processes_are_refused() -> None:
    with pytest.raises(InputError, match="found 2 processes, expected 1 for SHAC"):
        make().check_processes(2)
    make().check_processes(1)

"""Every setting of the four algorithms arrives in the objects that train, or is refused.

``fit`` runs twice for each algorithm: with one value of every setting, and with another. A probe finds the value in
what trained: optimiser, buffer, loss, networks, environment, collector. A setting that no probe knows is a failure.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import Namespace
from tensordict import TensorDict
from torch import Tensor, nn
from torchrl.data import LazyMemmapStorage

from litgrid.algorithms.agent import UNTRAINED
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.networks import ACTIVATIONS, MLP, Gaussian, Spaces, Summary
from litgrid.algorithms.on_policy import OnPolicy
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.shac import SHAC
from litgrid.algorithms.validation import Validation
from litgrid.cli import main
from litgrid.cli.records import KeepConfig
from litgrid.cli.train import TrainCLI
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.action_maps import Band, Raw, Residual, Together
from litgrid.sim.actions import AROUND
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
ALGORITHMS = ("sac", "ppo", "a2c", "shac")

Settings = dict[str, Any]
"""A setting's dotted name below ``model.init_args``, and its value."""

FIRST: Settings = {
    "env.window_hours": 24,
    "env.observation": "entity",
    "env.sockets": "floor",
    "env.socket_actions": "each",
    "env.battery": "residual",
    "env.rule": "self_consumption",
    "env.span": 0.5,
    "env.reward_scale": 0.001,
    "env.stored_per_kwh": 0.0,
    "env.unserved_weight": 1.0,
    "env.compile": False,
    "collection.envs": 4,
    "collection.frames_per_batch": 16,
    "budget.total_frames": 192,
    "budget.frames_per_epoch": 96,
    "budget.batches_per_row": 2,
    "actor_network.hidden": [12, 10],
    "actor_network.sockets": 3,
    "actor_network.activation": "tanh",
    "critic_network.hidden": [14, 16],
    "critic_network.sockets": 5,
    "critic_network.activation": "relu",
    "clip_norm": 7.0,
    "matmul": "high",
    "execution": "eager",
}
SECOND: Settings = {
    "env.window_hours": 12,
    "env.observation": "entity",
    "env.sockets": "raw",
    "env.socket_actions": "one",
    "env.battery": "residual",
    "env.rule": "water_filling",
    "env.span": 0.25,
    "env.reward_scale": 0.002,
    "env.stored_per_kwh": 0.5,
    "env.unserved_weight": 3.0,
    "env.compile": True,
    "collection.envs": 6,
    "collection.frames_per_batch": 24,
    "budget.total_frames": 360,
    "budget.frames_per_epoch": 120,
    "budget.batches_per_row": 1,
    "actor_network.hidden": [9, 8, 7],
    "actor_network.sockets": 4,
    "actor_network.activation": "silu",
    "critic_network.hidden": [11],
    "critic_network.sockets": 6,
    "critic_network.activation": "tanh",
    "clip_norm": 0.25,
    "matmul": "medium",
    "execution": "compiled",
}
OF_ON_POLICY = (
    {
        "advantage.discount": 0.9,
        "advantage.decay": 0.8,
        "advantage.normalize": True,
        "weights.critic": 0.7,
        "weights.entropy": 0.01,
        "learning_rates.actor": 0.002,
        "learning_rates.critic": 0.007,
        "learning_rates.final": 1.0,
        "initial_spread": 0.3,
        "final_spread": 0.1,
    },
    {
        "advantage.discount": 0.95,
        "advantage.decay": 0.6,
        "advantage.normalize": False,
        "weights.critic": 0.2,
        "weights.entropy": 0.03,
        "learning_rates.actor": 0.0005,
        "learning_rates.critic": 0.004,
        "learning_rates.final": 0.5,
        "initial_spread": 0.6,
        "final_spread": 0.2,
    },
)
OWN: dict[str, tuple[Settings, Settings]] = {
    "sac": (
        {
            "replay.capacity": 150,
            "replay.storage": "memmap",
            "replay.batch_size": 8,
            "replay.updates_per_batch": 2,
            "replay.warmup_frames": 48,
            "learning_rates.actor": 0.001,
            "learning_rates.critic": 0.002,
            "learning_rates.temperature": 0.003,
            "learning_rates.final": 1.0,
            "temperature.initial": 0.2,
            "temperature.target_entropy_per_action": -1.5,
            "discount": 0.9,
            "target_rate": 0.01,
            "critic_loss": "smooth_l1",
        },
        {
            "replay.capacity": 200,
            "replay.storage": "device",
            "replay.batch_size": 5,
            "replay.updates_per_batch": 3,
            "replay.warmup_frames": 72,
            "learning_rates.actor": 0.004,
            "learning_rates.critic": 0.005,
            "learning_rates.temperature": 0.006,
            "learning_rates.final": 0.5,
            "temperature.initial": 0.4,
            "temperature.target_entropy_per_action": -0.5,
            "discount": 0.95,
            "target_rate": 0.02,
            "critic_loss": "l2",
        },
    ),
    "ppo": (
        OF_ON_POLICY[0]
        | {
            "proximity.epochs": 2,
            "proximity.minibatch": 8,
            "proximity.clip": 0.1,
            "proximity.clip_value": 0.5,
            "proximity.target_kl": 1000.0,
        },
        OF_ON_POLICY[1]
        | {
            "proximity.epochs": 3,
            "proximity.minibatch": 12,
            "proximity.clip": 0.3,
            "proximity.clip_value": 0.25,
            "proximity.target_kl": 2000.0,
        },
    ),
    "shac": (
        {
            "discount": 0.9,
            "regression.decay": 0.8,
            "regression.epochs": 2,
            "regression.minibatch": 8,
            "regression.target_rate": 0.1,
            "averaging": 0.25,
            "learning_rates.actor": 0.002,
            "learning_rates.critic": 0.007,
            "learning_rates.final": 1.0,
            "initial_spread": 0.3,
        },
        {
            "discount": 0.95,
            "regression.decay": 0.6,
            "regression.epochs": 3,
            "regression.minibatch": 12,
            "regression.target_rate": 0.3,
            "averaging": 0.5,
            "learning_rates.actor": 0.0005,
            "learning_rates.critic": 0.004,
            "learning_rates.final": 0.5,
            "initial_spread": 0.6,
        },
    ),
    "a2c": (OF_ON_POLICY[0] | {"optimizer": "adam"}, OF_ON_POLICY[1] | {"optimizer": "rmsprop"}),
}
REFUSED = {
    "env.observation": ("citylearn", "env.observation: found citylearn, expected flat or entity"),
    "env.reward": ("marl", "reward: found marl, expected objective on a site"),
    "execution": ("cuda_graph", "execution: found cuda_graph on cpu, expected eager or compiled, or a CUDA GPU"),
    "seed": (5, "model.init_args.seed: found 5, but it follows from seed_everything"),
}
"""Below ``model.init_args``: refused on a site."""
ELSEWHERE = {
    "env.backend": "test_the_back_end_is_that_of_the_configuration",
    "collection.workers": "tests/algorithms/test_collectors.py",
    "collection.backend": "tests/algorithms/test_collectors.py",
    "seed": "seed_everything",
}


@dataclasses.dataclass
class Live:
    """What trained, and what it did.

    Attributes:
        config: of ``fit``, parsed.
        updates: optimiser steps so far, after each batch.
        inputs: (frames, deviation of the advantages) of each update's loss.
        norms: to which gradients were clipped.
        rows: of metrics with progress in them.
        scaled: a reward over minus its cost.
        horizon: hours from the start of the first windows to their ends.
        compiled: whether steps were.
    """

    algorithm: Algorithm
    config: Namespace
    updates: list[int] = dataclasses.field(default_factory=list)
    inputs: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    norms: set[float] = dataclasses.field(default_factory=set)
    rows: int = 0
    horizon: float = 0.0
    compiled: bool = False

    @property
    def env(self) -> Any:
        """The training environment."""
        assert self.algorithm.collector is not None
        return self.algorithm.collector.env

    @property
    def loss(self) -> Any:
        """The loss module."""
        return self.algorithm.loss

    @property
    def untrained(self) -> dict[str, Tensor]:
        """Weights before the first update."""
        path = Path(str(self.algorithm.trainer.checkpoint_callback.folder)) / UNTRAINED  # type: ignore[union-attr]
        state: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
        return state


def _rate(live: Live, name: str, module: Any) -> float:
    """The learning rate of the group that has exactly a module's parameters."""
    (group,) = [group for group in live.algorithm.trainer.optimizers[0].param_groups if group["name"] == name]
    assert {id(p) for p in group["params"]} == {id(p) for p in module.parameters()}
    return float(group["lr"])


def _widths(network: nn.Module) -> list[int]:
    (mlp,) = [module for module in network.modules() if isinstance(module, MLP)]
    return [layer.out_features for layer in mlp if isinstance(layer, nn.Linear)][:-1]


def _activations(network: nn.Module) -> str:
    used = {type(module) for module in network.modules()} & set(ACTIVATIONS.values())
    (name,) = [name for name, kind in ACTIVATIONS.items() if used == {kind}]
    return name


def _sockets(network: nn.Module) -> int:
    (summary,) = [module for module in network.modules() if isinstance(module, Summary)]
    return summary.layer.out_features


def _at_rate(live: Live, name: str, module: Any) -> float:
    """The learning rate that has fallen, or not, since the start; it is lowered before each batch."""
    now = _rate(live, name, module)
    over = 1.0 - 1.0 / len(live.updates)
    return float(now / (1.0 - (1.0 - live.algorithm.learning_rates.final) * over))


def _final(live: Live) -> float:
    """The share of the learning rate that is left when all batches are done, from what was left before the last."""
    left = _rate(live, "actor", _parameters(live, "actor")) / live.config.model.init_args.learning_rates.actor
    return float(1.0 - (1.0 - left) * len(live.updates) / (len(live.updates) - 1))


def _passes(live: Live) -> float:
    """Updates of the critic by frames of a batch."""
    batch = live.algorithm.frames // len(live.updates)
    return (live.updates[0] - 1) * max(frames for frames, _ in live.inputs) / batch


def _critic(live: Live) -> nn.Module:
    algorithm = live.algorithm
    return live.loss.qvalue_network if isinstance(algorithm, SAC) else algorithm.critic  # type: ignore[return-value]


def _parameters(live: Live, name: str) -> Any:
    """What holds the parameters of actor or critic; SAC's are in its loss."""
    if isinstance(live.algorithm, SHAC) and name == "actor":
        return live.algorithm.learner
    if isinstance(live.algorithm, OnPolicy | SHAC):
        return getattr(live.algorithm, name)
    return live.loss.actor_network_params if name == "actor" else live.loss.qvalue_network_params


def _earned(live: Live) -> tuple[float, float, float]:
    """Rewards, energy stored and costs of steps in several windows: one where PV covers the load may cost nothing."""
    rewards = stored = costs = 0.0
    for _ in range(12):
        start = live.env.reset()
        before = live.env.state.bess_soc.clone()
        rewards += float(live.env.rand_step(start)["next", "reward"].sum())
        stored += float((live.env.state.bess_soc - before).sum()) * live.env.simulator.params.bess_capacity_kwh
        found, weight = live.env.costs, live.env.config.unserved_weight
        costs += float((found.total + (weight - 1.0) * found.unserved).sum())
    return rewards, stored, costs


def _reward_scale(live: Live) -> float:
    rewards, stored, costs = _earned(live)
    return float(rewards / (stored * live.env.config.stored_per_kwh - costs))


def _stored_per_kwh(live: Live) -> float:
    rewards, stored, costs = _earned(live)
    return float(round((rewards / live.env.config.reward_scale + costs) / stored, 5))


def _averaging(live: Live) -> float:
    """What is left of the policy that is kept when it follows the trained one once more."""
    assert isinstance(live.algorithm, SHAC)
    kept, trained = (next(module.parameters()) for module in (live.algorithm.actor, live.algorithm.learner))
    before = (kept - trained).detach().norm()
    live.algorithm.average()
    return round(float((kept - trained).detach().norm() / before), 3)


def _rule_name(live: Live) -> str:
    rule = _each(live)._rule
    return str((rule.args[0] if isinstance(rule, partial) else rule).__self__.name)


def _discount(live: Live) -> float:
    """SAC's is in its estimator; SHAC's is the slope of a horizon's return along its second reward."""
    if isinstance(live.algorithm, SAC):
        return float(live.loss._value_estimator.gamma)
    assert isinstance(live.algorithm, SHAC)
    no = torch.zeros(1, 2, 1, dtype=torch.bool)
    after = {key: torch.zeros(1, 2, *shape) for key, shape in Spaces.of(live.env).shapes.items()}
    after |= {"reward": torch.zeros(1, 2, 1), "done": no, "terminated": no.clone()}
    batch = TensorDict({"next": TensorDict(after, batch_size=[1, 2])}, batch_size=[1, 2])
    without = live.algorithm.horizon_return(batch)
    batch["next", "reward"][0, 1] = 2.0
    return float(live.algorithm.horizon_return(batch) - without)


def _decay(live: Live) -> float:
    """lambda, from the first target of two steps whose second is rewarded, where all values are 0."""
    algorithm = live.algorithm
    assert isinstance(algorithm, SHAC)
    no, shapes = torch.zeros(1, 2, 1, dtype=torch.bool), Spaces.of(live.env).shapes
    seen = {key: torch.zeros(1, 2, *shape) for key, shape in shapes.items()}
    after = {**seen, "reward": torch.tensor([[[0.0], [1.0]]]), "done": no, "terminated": no | True}
    after["terminated"][0, 0] = False
    batch = TensorDict({**seen, "next": TensorDict(after, batch_size=[1, 2])}, batch_size=[1, 2])
    targets = algorithm.with_targets(batch)["value_target"].flatten()
    batch["next", "reward"][0, 1] = 0.0
    without = algorithm.with_targets(batch)["value_target"].flatten()
    return float((targets - without)[0]) / algorithm.discount


def _target_rate(live: Live) -> float:
    """By which SAC's and SHAC's targets follow."""
    if isinstance(live.algorithm, SAC):
        return float(1.0 - live.algorithm.target_critics.eps)
    assert isinstance(live.algorithm, SHAC)
    target, critic = (next(iter(module.parameters())) for module in (live.algorithm.target, live.algorithm.critic))
    with torch.no_grad():
        critic.add_(1.0)
    before, gap = target.clone(), (critic - target).detach()
    live.algorithm.target.update_parameters(live.algorithm.critic)
    return float(((target - before) / gap).mean())


def _kl(live: Live) -> float:
    """The least KL that ends the passes, over 1.5, by bisection."""
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2.0
        far = live.algorithm.is_far(torch.tensor(middle, dtype=torch.float64))  # type: ignore[operator]
        low, high = (low, middle) if far else (middle, high)
    return high / 1.5


def _spread(live: Live) -> float:
    (gaussian,) = [module for module in live.algorithm.actor.modules() if isinstance(module, Gaussian)]
    (key,) = [key for key in live.untrained if key.startswith("actor.") and key.endswith("log_spread")]
    first = live.untrained[key]
    assert first.shape == gaussian.log_spread.shape
    return float(first.exp().mean())


def _final_spread(live: Live) -> float:
    """The deviation when all batches are done, from what it was before the last."""
    first, spent = _spread(live), 1.0 - 1.0 / len(live.updates)
    (gaussian,) = [module for module in live.algorithm.actor.modules() if isinstance(module, Gaussian)]
    now = float(gaussian.log_spread.exp().mean())
    return float(first * (now / first) ** (1.0 / spent))


class Marked:
    """A function in place of a compiled one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        """Do the same."""
        return self.function(*arguments)


def _execution(live: Live) -> str:
    """How the loss runs."""
    return "compiled" if isinstance(live.algorithm.evaluate_loss, Marked) else "eager"


def _spans(live: Live) -> int:
    """Frames between validations."""
    return live.algorithm.frames // int(live.algorithm.trainer.max_epochs or 0)


def _each(live: Live) -> Any:
    """The map with an action for each socket."""
    found = live.env._map
    return found._each if isinstance(found, Together) else found


Probe = Callable[[Live], Any]
PROBES: dict[str, Probe] = {
    "env.window_hours": lambda live: live.horizon,
    "env.observation": lambda live: "entity" if "sockets" in live.env.observation_spec.keys() else "flat",  # noqa: SIM118
    "env.sockets": lambda live: next(name for name, around in AROUND.items() if _each(live)._around is around),
    "env.socket_actions": lambda live: "one" if isinstance(live.env._map, Together) else "each",
    "env.battery": lambda live: type(_each(live)).__name__.lower(),
    "env.rule": _rule_name,
    "env.span": lambda live: _each(live)._span,
    "env.reward": lambda live: live.env.config.reward,
    "env.reward_scale": _reward_scale,
    "env.stored_per_kwh": _stored_per_kwh,
    "env.unserved_weight": lambda live: live.env.config.unserved_weight,
    "env.compile": lambda live: live.compiled,
    "collection.envs": lambda live: live.env.batch_size[0],
    "collection.frames_per_batch": lambda live: live.algorithm.frames // len(live.updates),
    "budget.total_frames": lambda live: live.algorithm.frames,
    "budget.frames_per_epoch": _spans,
    "budget.batches_per_row": lambda live: len(live.updates) // live.rows,
    "actor_network.hidden": lambda live: _widths(live.algorithm.actor),
    "actor_network.sockets": lambda live: _sockets(live.algorithm.actor),
    "actor_network.activation": lambda live: _activations(live.algorithm.actor),
    "critic_network.hidden": lambda live: _widths(_critic(live)),
    "critic_network.sockets": lambda live: _sockets(_critic(live)),
    "critic_network.activation": lambda live: _activations(_critic(live)),
    "averaging": _averaging,
    "clip_norm": lambda live: max(live.norms),
    "matmul": lambda _: torch.get_float32_matmul_precision(),
    "execution": _execution,
    "replay.storage": lambda live: (
        "memmap" if isinstance(live.algorithm.buffer.storage, LazyMemmapStorage) else "device"  # type: ignore[union-attr]
    ),
    "replay.capacity": lambda live: len(live.algorithm.buffer),  # type: ignore[arg-type]
    "replay.batch_size": lambda live: max(frames for frames, _ in live.inputs),
    "replay.updates_per_batch": lambda live: live.updates[-1] - live.updates[-2],
    "replay.warmup_frames": lambda live: (live.updates.count(0) + 1) * live.algorithm.frames // len(live.updates),
    "learning_rates.actor": lambda live: _at_rate(live, "actor", _parameters(live, "actor")),
    "learning_rates.critic": lambda live: _at_rate(live, "critic", _parameters(live, "critic")),
    "learning_rates.temperature": lambda live: _at_rate(live, "temperature", nn.ParameterList([live.loss.log_alpha])),
    "learning_rates.final": _final,
    "temperature.initial": lambda live: live.untrained["loss.log_alpha"].exp(),
    "temperature.target_entropy_per_action": lambda live: live.loss.target_entropy / live.env.action_spec.shape[-1],
    "discount": _discount,
    "target_rate": _target_rate,
    "regression.target_rate": _target_rate,
    "regression.decay": _decay,
    "regression.epochs": _passes,
    "regression.minibatch": lambda live: max(frames for frames, _ in live.inputs),
    "critic_loss": lambda live: live.loss.loss_function,
    "advantage.discount": lambda live: live.algorithm._estimate.gamma,  # type: ignore[union-attr]
    "advantage.decay": lambda live: live.algorithm._estimate.lmbda,  # type: ignore[union-attr]
    "advantage.normalize": lambda live: (
        live.loss.normalize_advantage
        if live.algorithm.name == "ppo"
        else all(math.isclose(deviation, 1.0, rel_tol=1e-3) for _, deviation in live.inputs)
    ),
    "weights.critic": lambda live: live.loss.critic_coeff,
    "weights.entropy": lambda live: live.loss.entropy_coeff,
    "initial_spread": _spread,
    "final_spread": _final_spread,
    "optimizer": lambda live: type(live.algorithm.trainer.optimizers[0]).__name__.lower(),
    "proximity.epochs": lambda live: (
        live.updates[0] * max(frames for frames, _ in live.inputs) * len(live.updates) // live.algorithm.frames
    ),
    "proximity.minibatch": lambda live: max(frames for frames, _ in live.inputs),
    "proximity.clip": lambda live: live.loss.clip_epsilon,
    "proximity.clip_value": lambda live: live.loss.clip_value,
    "proximity.target_kl": _kl,
}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a configuration, with dotted names; those of a list's parts have its index."""
    if isinstance(value, Namespace):
        value = vars(value)
    if isinstance(value, list) and value and isinstance(value[0], Namespace):
        value = {str(index): part for index, part in enumerate(value)}
    if not isinstance(value, dict):
        yield name, value
        return
    for key, part in value.items():
        yield from leaves(part, f"{name}.{key}" if name else key)


def nested(settings: Settings) -> Settings:
    """The same as a tree."""
    tree: Settings = {}
    for name, value in settings.items():
        *path, last = name.split(".")
        branch = tree
        for key in path:
            branch = branch.setdefault(key, {})
        branch[last] = value
    return tree


def same(found: Any, expected: Any) -> bool:
    """Whether both are equal, to float32's rounding."""
    if isinstance(expected, float):
        return math.isclose(float(found), expected, rel_tol=1e-5)
    return bool(found == expected)


@pytest.fixture(autouse=True)
def few_days(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Random days in place of years, a yardstick that costs nothing, no W&B; a process-wide setting is put back."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 7 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.algorithms.base.validate", lambda *_: Validation(1.0, 1.0, 1.0))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(TrainCLI, "after_fit", lambda _: None)
    matmul = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(matmul)


def base(algorithm: str, folder: Path) -> list[str]:
    """Arguments of a short ``fit`` with an algorithm's own configuration, on the small site."""
    first = {"init_args": nested(FIRST | OWN[algorithm][0])}
    values = {"model": first, "data": {"site": str(CONFIGS / "sites" / "small.yaml")}, "runs": str(folder / "runs")}
    path = folder / "first.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return ["fit", "--config", str(CONFIGS / f"{algorithm}.yaml"), "--config", str(path)]


def follow(monkeypatch: pytest.MonkeyPatch) -> list[Live]:
    """Note what the next runs do; each adds itself to the list when it starts to train."""
    runs: list[Live] = []
    start, step, record = Algorithm.on_train_start, Algorithm.training_step, Algorithm.record
    clip = torch.nn.utils.clip_grad_norm_

    def on_train_start(self: Algorithm) -> None:
        (keeper,) = [callback for callback in self.trainer.callbacks if isinstance(callback, KeepConfig)]  # type: ignore[attr-defined]
        live = Live(self, keeper.config)
        runs.append(live)
        hours = (live.env._end - live.env.state.step) * live.env.simulator.site.step_hours
        live.horizon = float(hours.float().mean())
        live.compiled = live.env._advance != live.env._eager

        def look(_: nn.Module, args: tuple[Any, ...]) -> None:
            advantage = args[0].get("advantage", None)
            if "horizon_return" not in args[0].keys():  # noqa: SIM118 (a TensorDict; SHAC's policy takes whole batches)
                live.inputs.append((len(args[0]), 0.0 if advantage is None else float(advantage.std())))

        live.loss.register_forward_pre_hook(look)
        start(self)

    def training_step(self: Algorithm, batch: int, batch_idx: int) -> None:
        step(self, batch, batch_idx)
        runs[-1].updates.append(self.updates)

    def record_(self: Algorithm, metrics: Any) -> None:
        record(self, metrics)
        runs[-1].rows += "train/reward" in metrics

    def clip_grad_norm_(parameters: Any, norm: float) -> Tensor:
        runs[-1].norms.add(norm)
        return clip(parameters, norm)

    monkeypatch.setattr(Algorithm, "on_train_start", on_train_start)
    monkeypatch.setattr(Algorithm, "training_step", training_step)
    monkeypatch.setattr(Algorithm, "record", record_)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip_grad_norm_)

    monkeypatch.setattr(torch, "compile", lambda function, **_: Marked(function))
    monkeypatch.setattr("litgrid.algorithms.execution.missing", lambda _: None)
    monkeypatch.setattr("litgrid.sim.env.compiled", lambda step, *_: step)
    monkeypatch.setattr(Algorithm, "teardown", lambda *_, **__: None)  # the collector stays open for the probes
    return runs


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_setting_of_an_algorithm_arrives(algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = follow(monkeypatch)
    second = tmp_path / "second.yaml"
    changed = SECOND | OWN[algorithm][1]
    second.write_text(yaml.safe_dump({"model": {"init_args": nested(changed)}}), encoding="utf-8")
    arguments = base(algorithm, tmp_path)
    wrong = {}
    for values in (FIRST | OWN[algorithm][0], changed):
        assert main(arguments) == 0
        live = runs[-1]
        settings = dict(leaves(live.config.model.init_args))
        assert {name: settings[name] for name in values} == values
        assert set(settings) - set(ELSEWHERE) - set(PROBES) == set(), "settings without a probe"
        live.env._advance = live.env._eager  # whose costs can be seen
        for name, expected in settings.items():
            if name not in ELSEWHERE and not same(found := PROBES[name](live), expected):
                wrong[name] = found, expected
        assert live.algorithm.collector is not None
        live.algorithm.collector.shutdown()
        arguments = [*arguments, "--config", str(second)]
    assert wrong == {}
    assert {name for name in settings if name not in changed} <= {*REFUSED, *ELSEWHERE}, "settings that never changed"


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_arrive_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value, message = REFUSED[name]
    third = tmp_path / "third.yaml"
    third.write_text(yaml.safe_dump({"model": {"init_args": nested({name: value})}}), encoding="utf-8")
    assert main([*base("sac", tmp_path), "--config", str(third)]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("litgrid: ")]
    assert len(errors) == 1
    assert message in errors[0]


@pytest.mark.parametrize(("battery", "kind"), [("raw", Raw), ("band", Band), ("residual", Residual)])
def test_the_battery_is_mapped_as_configured(
    battery: str, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = follow(monkeypatch)
    for name in ("env.rule", "env.span"):
        monkeypatch.delitem(FIRST, name)
    monkeypatch.setitem(FIRST, "env.battery", battery)
    assert main(base("ppo", tmp_path)) == 0
    assert isinstance(runs[-1].env._map, kind)
    assert runs[-1].algorithm.collector is not None
    runs[-1].algorithm.collector.shutdown()


def test_the_back_end_is_that_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    citylearn = pytest.importorskip("litgrid.sim.citylearn", exc_type=ImportError)
    made: list[str] = []

    class Made(Exception):
        """Enough is known."""

    def make(_: ScenarioSet, __: int, config: EnvConfig, *___: Any, **____: Any) -> None:
        made.append(config.backend)
        raise Made

    monkeypatch.setattr(citylearn, "CityLearnSiteEnv", make)
    with pytest.raises(Made):
        main([*base("sac", tmp_path), "--model.env.backend", "citylearn"])
    assert made == ["citylearn"]

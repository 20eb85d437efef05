"""Train LitGrid's algorithms and Stable-Baselines3's, with the same settings, on tasks whose answer is known.

    python scripts/known_tasks.py                                     all that is missing, then the table
    python scripts/known_tasks.py --tasks pendulum --algorithms sac --seeds 0 1 --implementations litgrid
    python scripts/known_tasks.py --frames 20000 --seeds 5 6 7        other budgets and more seeds
    python scripts/known_tasks.py --table                             the table of what there is

Each run is a line in docs/known-tasks.jsonl (``--results``), written as soon as it ends. A run whose line is there,
with the same settings, is not repeated: delete the line to repeat it.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import product
from math import log
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from lightning import LightningDataModule, Trainer
from numpy.typing import NDArray
from tensordict import TensorDict

from litgrid.algorithms import on_policy
from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import Ticks
from litgrid.algorithms.networks import Network, deterministic_action
from litgrid.algorithms.on_policy import Advantage
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.sac import SAC, LearningRates, Replay, Temperature
from litgrid.errors import InputError
from litgrid.sim import linear_quadratic
from litgrid.sim.env import EnvConfig
from litgrid.sim.gym_batch import GymBatch

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "known-tasks.jsonl"
SEEDS = (0, 1, 2, 3, 4)
IMPLEMENTATIONS = ("litgrid", "sb3")
Policy = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What is to be learned, and how it is measured.

    Attributes:
        make: makes an environment.
        half_range: half the range of its action.
        discount: of the measured return.
        episodes: over which the return is measured, the same for all.
    """

    make: Callable[[], gymnasium.Env[Any, Any]]
    half_range: float
    discount: float
    episodes: int


def pendulum() -> gymnasium.Env[Any, Any]:
    """Make gymnasium's Pendulum, whose episodes are truncated after 200 steps."""
    return gymnasium.make("Pendulum-v1")


TASKS = {
    "pendulum": Task(pendulum, half_range=2.0, discount=1.0, episodes=50),
    "battery": Task(linear_quadratic.LevelLoad, 1.0, linear_quadratic.DISCOUNT, episodes=200),
}


@dataclass(frozen=True)
class Settings:
    """What both implementations are given.

    Attributes:
        frames: to train.
        envs: environments side by side.
        steps: of each environment between two blocks of updates.
        learning_rate: of all networks.
        discount: gamma.
        decay: lambda (PPO, A2C).
        minibatch: frames of an update (SAC, PPO).
        epochs: passes over new frames (PPO).
        hidden: widths of the layers of all networks.
    """

    frames: int
    envs: int
    steps: int
    learning_rate: float
    discount: float
    decay: float = 1.0
    minibatch: int = 0
    epochs: int = 1
    hidden: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        if self.frames < 1 or self.frames % (self.envs * self.steps):
            raise InputError(
                f"frames: found {self.frames}, expected a multiple of {self.envs} environments x {self.steps} steps"
            )


WARMUP = 200
"""Frames before SAC's first update."""
SETTINGS = {
    ("pendulum", "sac"): Settings(4_000, 1, 8, 1e-3, discount=0.98, minibatch=128),
    ("pendulum", "ppo"): Settings(81_920, 4, 512, 1e-3, discount=0.9, decay=0.95, minibatch=256, epochs=10),
    ("battery", "sac"): Settings(1_600, 1, 8, 1e-3, discount=0.9, minibatch=128),
    ("battery", "ppo"): Settings(16_384, 8, 128, 1e-3, discount=0.9, decay=0.95, minibatch=256, epochs=10),
    ("battery", "a2c"): Settings(64_000, 16, 8, 3e-3, discount=0.9, decay=0.95),
}


class GymData(LightningDataModule):
    """What algorithms ask of a data module, for a task of gymnasium without validation."""

    def __init__(self, make: Callable[[], gymnasium.Env[Any, Any]]) -> None:
        super().__init__()
        self.train = make

    def make_env(self, envs: int, config: EnvConfig, device: torch.device, seed: int) -> GymBatch:  # noqa: ARG002
        """Return the environments to train in."""
        return GymBatch(self.train, envs, seed, device)

    def train_dataloader(self) -> Ticks:
        """Return the ticks of an epoch."""
        assert self.trainer is not None
        return Ticks(int(self.trainer.lightning_module.ticks_per_epoch))  # type: ignore[arg-type]


def make_algorithm(name: str, task: Task, settings: Settings, seed: int) -> Algorithm:
    """Return one of LitGrid's algorithms, untrained."""
    per_batch = settings.envs * settings.steps
    network = Network(hidden=list(settings.hidden), activation="relu" if name == "sac" else "tanh")
    common: dict[str, Any] = {
        "collection": Collection(settings.envs, per_batch),
        "budget": Budget(settings.frames, settings.frames),
        "actor_network": network,
        "critic_network": network,
        "seed": seed,
    }
    if name == "sac":
        rate = settings.learning_rate
        return SAC(
            replay=Replay(settings.frames, settings.minibatch, per_batch, WARMUP),
            learning_rates=LearningRates(rate, rate, rate),
            # Stable-Baselines3 counts entropy over actions that are scaled to [-1, 1]
            temperature=Temperature(initial=1.0, target_entropy_per_action=-1.0 + log(task.half_range)),
            discount=settings.discount,
            clip_norm=1e9,  # no clipping
            **common,
        )
    common |= {
        "learning_rates": on_policy.LearningRates(settings.learning_rate, settings.learning_rate),
        "initial_spread": 1.0 / task.half_range,
    }
    if name == "ppo":
        proximity = Proximity(settings.epochs, settings.minibatch)
        return PPO(advantage=Advantage(settings.discount, settings.decay), proximity=proximity, **common)
    return A2C(advantage=Advantage(settings.discount, settings.decay, normalize=False), **common)


def train_litgrid(name: str, task: Task, settings: Settings, seed: int) -> Policy:
    """Train LitGrid's algorithm through Lightning's Trainer; return its deterministic policy."""
    algorithm = make_algorithm(name, task, settings, seed)
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
    )
    trainer.fit(algorithm, datamodule=GymData(task.make))
    assert algorithm.frames == settings.frames
    return policy_of(algorithm)


def policy_of(algorithm: Algorithm) -> Policy:
    """Return the present deterministic policy of one of LitGrid's algorithms."""

    @torch.no_grad()
    def act(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        features = TensorDict({"observation": torch.from_numpy(observation)}, batch_size=len(observation))
        action: NDArray[np.float32] = deterministic_action(algorithm.actor, features).numpy()
        return action

    return act


def train_sb3(name: str, task: Task, settings: Settings, seed: int) -> Policy:
    """Train Stable-Baselines3's algorithm; return its deterministic policy."""
    import stable_baselines3 as sb3  # noqa: PLC0415 (an optional dependency)
    from stable_baselines3.common.env_util import make_vec_env  # noqa: PLC0415

    env = make_vec_env(task.make, settings.envs, seed=seed)
    common: dict[str, Any] = {
        "learning_rate": settings.learning_rate,
        "gamma": settings.discount,
        "policy_kwargs": {"net_arch": list(settings.hidden)},
        "seed": seed,
        "device": "cpu",
    }
    options: Row = {
        "sac": {
            "buffer_size": settings.frames,
            "batch_size": settings.minibatch,
            "learning_starts": WARMUP,
            "train_freq": settings.steps,
            "gradient_steps": settings.steps * settings.envs,
        },
        "ppo": {
            "n_steps": settings.steps,
            "batch_size": settings.minibatch,
            "n_epochs": settings.epochs,
            "gae_lambda": settings.decay,
        },
        "a2c": {"n_steps": settings.steps, "gae_lambda": settings.decay},
    }
    model = getattr(sb3, name.upper())("MlpPolicy", env, **common, **options[name])
    model.learn(settings.frames)
    assert model.num_timesteps == settings.frames

    def act(observation: NDArray[np.float32]) -> NDArray[np.float32]:
        action: NDArray[np.float32] = model.predict(observation, deterministic=True)[0]
        return action

    return act


TRAIN = {"litgrid": train_litgrid, "sb3": train_sb3}


def mean_return(task: Task, policy: Policy) -> float:
    """Discounted return of a policy, a mean over episodes whose starts and noise are the same for all policies."""
    envs = [task.make() for _ in range(task.episodes)]
    observed = np.stack([env.reset(seed=1_000 + number)[0] for number, env in enumerate(envs)])
    total, weight, over = np.zeros(task.episodes), 1.0, False
    while not over:
        steps = [env.step(action) for env, action in zip(envs, policy(observed), strict=True)]
        observed = np.stack([step[0] for step in steps])
        total += weight * np.array([step[1] for step in steps])
        weight *= task.discount
        over = all(step[3] for step in steps)  # both tasks' episodes are truncated together
    return float(total.mean())


def optimum(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """The battery's best policy."""
    action: NDArray[np.float32] = (-observation @ linear_quadratic.gain().T).astype(np.float32)
    return action


def idle(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """No torque, no power."""
    return np.zeros((len(observation), 1), np.float32)


@dataclass(frozen=True)
class Run:
    """What is trained; the keys of a line of results."""

    task: str
    algorithm: str
    implementation: str
    seed: int
    settings: Settings


def make(asked: Run) -> Row:
    """Train once and measure."""
    task, cpu = TASKS[asked.task], time.process_time()
    policy = TRAIN[asked.implementation](asked.algorithm, task, asked.settings, asked.seed)
    cpu = time.process_time() - cpu
    return asdict(asked) | {"return": mean_return(task, policy), "cpu_seconds": round(cpu, 1)}


def read(path: Path) -> list[Row]:
    """Return the runs so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def is_there(rows: list[Row], asked: Run) -> bool:
    """Tell whether a run has been made."""
    key = json.loads(json.dumps(asdict(asked)))
    return any(row | key == row for row in rows)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def table(rows: list[Row]) -> str:
    """Compare the implementations, a line for each task, algorithm and settings."""
    groups: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for row in rows:
        group = groups.setdefault((row["task"], row["algorithm"], json.dumps(row["settings"])), {})
        group.setdefault(row["implementation"], []).append(row)
    lines = [
        "| task | algorithm | frames | seeds | idle | LitGrid | Stable-Baselines3 | optimum | CPU seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (task, algorithm, settings), by in groups.items():
        if len(by) < len(IMPLEMENTATIONS):
            continue
        ours, theirs = (by[name] for name in IMPLEMENTATIONS)
        best = f"{mean_return(TASKS[task], optimum):.2f}" if task == "battery" else "not known"
        cells = [
            task,
            algorithm.upper(),
            f"{json.loads(settings)['frames']:,}",
            f"{len(ours)}, {len(theirs)}",
            f"{mean_return(TASKS[task], idle):.2f}",
            *(spread([row["return"] for row in each]) for each in (ours, theirs)),
            best,
            ", ".join(f"{statistics.mean(row['cpu_seconds'] for row in each):.0f}" for each in (ours, theirs)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def wanted(chosen: argparse.Namespace) -> list[Run]:
    """Return the runs that were asked for, seed by seed, so that what is there can be compared at any time."""
    names = product(chosen.seeds, chosen.tasks, chosen.algorithms, chosen.implementations)
    return [
        Run(
            task,
            algorithm,
            implementation,
            seed,
            replace(settings, frames=settings.frames if chosen.frames is None else chosen.frames),
        )
        for seed, task, algorithm, implementation in names
        if (settings := SETTINGS.get((task, algorithm))) is not None
    ]


def main() -> None:
    """Make the runs that are missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--algorithms", nargs="+", choices=("sac", "ppo", "a2c"), default=["sac", "ppo", "a2c"])
    parser.add_argument("--implementations", nargs="+", choices=IMPLEMENTATIONS, default=list(IMPLEMENTATIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--frames", type=int, help="instead of each task's own")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="train nothing")
    chosen = parser.parse_args()
    try:
        asked = [] if chosen.table else wanted(chosen)
    except InputError as error:
        parser.error(str(error))
    for each in asked:
        if not is_there(read(chosen.results), each):
            row = make(each)
            with chosen.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            name = f"{each.task} {each.algorithm} {each.implementation} {each.seed}:"
            print(name, f"return {row['return']:.2f}, {row['cpu_seconds']} CPU seconds", flush=True)
    print(table(read(chosen.results)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore")  # Lightning's advice on loaders and batch sizes
    main()

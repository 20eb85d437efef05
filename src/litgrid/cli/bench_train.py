"""``bench train``: how fast the algorithms train, beside plain loops and Stable-Baselines3."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import Callback, LightningModule, Trainer

from litgrid.algorithms import execution
from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.environments import make_env
from litgrid.algorithms.execution import Execution
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.networks import Network
from litgrid.algorithms.on_policy import Advantage
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.sac import SAC, Replay
from litgrid.algorithms.stopwatch import PARTS, Part, Stopwatch
from litgrid.cli import bench_sb3
from litgrid.cli.bench_tools import Figures
from litgrid.cli.plain import make_loop
from litgrid.cli.train import quiet
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

Observation = Literal["flat", "entity"]
Precision = Literal["32-true", "bf16-mixed"]
ALGORITHMS = ("sac", "ppo", "a2c")
ENDLESS = 1_000_000  # batches of an epoch that a measurement ends
SHARES: tuple[Part, ...] = ("collect", "sample", "update", "log")
COLUMNS = (
    "algorithm",
    "implementation",
    "backend",
    "device",
    "precision",
    "execution",
    "envs",
    "frames_per_second",
    "updates_per_second",
    *(f"share_{part}" for part in SHARES),
    "ratio_to_plain",
    "cpu_ms_per_frame",
    "cpu_ratio_to_plain",
)
TABLE = "{:<6}{:<10}{:<11}{:<7}{:<12}{:<11}{:>6}{:>12}{:>11}{:>9}{:>8}{:>8}{:>6}{:>9}{:>10}{:>9}"
HEADS = (
    "",
    "by",
    "back end",
    "device",
    "precision",
    "execution",
    "envs",
    "frames/s",
    "updates/s",
    *SHARES,
    "x plain",
    "CPU ms",
    "x plain",
)


def make_algorithm(name: str, envs: int, observation: Observation, how: Execution = "eager") -> Algorithm:
    """An algorithm at the sizes of the benchmark.

    SAC makes an update of 256 frames per 16 new ones, with one environment one per frame. PPO makes 2 passes in
    minibatches of 4,096 over 16 steps of each environment, and at least 512. A2C makes an update after 8 steps.
    """
    steps = {"sac": 1, "ppo": max(16, 512 // envs), "a2c": 8}[name]
    frames = envs * steps
    settings: Figures = {
        "env": EnvConfig(observation=observation, reward_scale=3e-4),
        "execution": how,
        "collection": Collection(envs, frames),
        "budget": Budget(ENDLESS * frames, ENDLESS * frames, batches_per_row=1 if name == "ppo" else 10),
    }
    if name == "sac":
        updates, warmup = max(1, envs // 16), max(256, envs)
        return SAC(**settings, replay=Replay(20_000, 256, updates, warmup), discount=0.97)
    tanh = Network(activation="tanh")
    advantage = Advantage(discount=0.97, decay=0.9)
    settings |= {"actor_network": tanh, "critic_network": tanh, "advantage": advantage, "initial_spread": 0.4}
    if name == "a2c":
        return A2C(**settings, optimizer="adam")
    return PPO(**settings, proximity=Proximity(epochs=2, minibatch=4096))


class Totals(Stopwatch):
    """A stopwatch that also adds up what its readings gave."""

    def __init__(self) -> None:
        self.begin()
        super().__init__()

    def begin(self) -> None:
        """Forget everything."""
        self.totals = dict.fromkeys(PARTS, 0.0)
        self._seconds = dict.fromkeys(PARTS, 0.0)

    def reset(self, frames: int = 0, updates: int = 0) -> None:
        """Start anew, and keep what was measured."""
        for part, seconds in self._seconds.items():
            self.totals[part] += seconds
        super().reset(frames, updates)


class Measurement:
    """Rates and shares of a training run, from its first updates on.

    Args:
        run: what trains; it has ``frames`` and ``updates``, and takes the measurement's stopwatch.
        seconds: least length.
    """

    def __init__(self, run: Any, seconds: float) -> None:
        self.run, self.seconds = run, seconds
        self.run.stopwatch = self.clock = Totals()
        self.start: float | None = None
        self.figures: Figures = {}

    def follow(self) -> bool:
        """Look at the clock after a batch, and tell whether the measurement is over."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now, cpu = time.perf_counter(), time.process_time()
        if self.start is None:
            if self.run.updates:  # they have warmed up
                self.clock.begin()
                self.start, self.cpu, self.counts = now, cpu, (self.run.frames, self.run.updates)
            return False
        if now - self.start < self.seconds:
            return False
        self.clock.reset()
        took = now - self.start
        shares = {f"share_{part}": self.clock.totals[part] / took for part in SHARES}
        frames, updates = self.run.frames - self.counts[0], self.run.updates - self.counts[1]
        rates = {"frames_per_second": frames / took, "updates_per_second": updates / took}
        self.figures = rates | shares | {"cpu_ms_per_frame": 1e3 * (cpu - self.cpu) / frames}
        return True


class Until(Callback):
    """Ends a training run with its measurement."""

    def __init__(self, measurement: Measurement) -> None:
        self.measurement = measurement

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: ARG002
        """Stop once there are figures."""
        trainer.should_stop = not self.measurement.figures and self.measurement.follow()


class Given(ScenarioData):
    """Scenarios that are there already."""

    def __init__(self, site: Site, scenarios: ScenarioSet) -> None:
        super().__init__(site)
        self.scenarios = scenarios

    def load(self, split: Any) -> ScenarioSet:  # noqa: ARG002
        """The same for every split."""
        return self.scenarios


def measure_litgrid(
    algorithm: Algorithm, scenarios: ScenarioSet, device: str, precision: Precision, seconds: float
) -> Figures:
    """A run through Lightning's trainer, with metrics in a file."""
    measurement = Measurement(algorithm, seconds)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            accelerator="gpu" if device == "cuda" else "cpu",
            devices=1,
            precision=precision,
            max_epochs=1,
            limit_val_batches=0,
            logger=MetricsFile(Path(folder), list(algorithm.METRICS)),
            callbacks=[Until(measurement)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(algorithm, datamodule=Given(scenarios.site, scenarios))
    return measurement.figures


def measure_plain(
    algorithm: Algorithm, scenarios: ScenarioSet, device: str, precision: Precision, seconds: float
) -> Figures:
    """The same without Lightning and TorchRL's training."""
    torch.manual_seed(0)
    loop = make_loop(algorithm, make_env(scenarios, algorithm.collection.envs, algorithm.env_config, device))
    measurement = Measurement(loop, seconds)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16-mixed"):
        while not measurement.follow():
            loop.iterate()
    return measurement.figures


MEASURES: dict[str, Callable[..., Figures]] = {"litgrid": measure_litgrid, "plain": measure_plain}


def measure(
    scenarios: ScenarioSet,
    algorithms: list[str],
    envs: list[int],
    *,
    observation: Observation = "flat",
    precision: Precision = "32-true",
    device: str | None = None,
    how: Execution = "eager",
    seconds: float = 4.0,
    repeats: int = 2,
    sb3: bool = True,
) -> list[Figures]:
    """The rows of ``bench train``.

    Implementations take turns, so that what else the machine does falls on both; of the repeats the fastest counts.

    Args:
        scenarios: years of a site.
        algorithms: their names.
        envs: numbers of environments side by side.
        observation: of the agents.
        precision: of the networks, as Lightning calls it.
        device: ``cpu`` or ``cuda``; by default the GPU where there is one.
        how: updates and policy of the algorithms run; plain loops run eagerly.
        seconds: least length of each measurement.
        repeats: of each.
        sb3: Stable-Baselines3, too, where it is installed.

    Raises:
        InputError: the device is not there, or the algorithms can't run so on it.
    """
    quiet()
    device = _device(device)
    execution.check(how, torch.device(device), 1)
    where = {"device": device, "precision": precision}
    rows = []
    for name in algorithms:
        for count in envs:
            make = partial(make_algorithm, name, count, observation, how)
            best = _fastest(make, scenarios, where, seconds, repeats)
            plain = best["plain"]
            rows += [
                {"algorithm": name, "implementation": by, "backend": "litgrid", "envs": count}
                | where
                | {"execution": how if by == "litgrid" else "eager"}
                | figures
                | {"ratio_to_plain": plain["frames_per_second"] / figures["frames_per_second"]}
                | {"cpu_ratio_to_plain": figures["cpu_ms_per_frame"] / plain["cpu_ms_per_frame"]}
                for by, figures in best.items()
            ]
        if sb3 and precision == "32-true":
            rows += bench_sb3.measure(make_algorithm(name, 1, observation), scenarios, seconds)
    return [{key: row.get(key) for key in COLUMNS} for row in rows]


def _device(wanted: str | None) -> str:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("--device: found cuda where there is no GPU, expected cpu")
    return wanted or ("cuda" if torch.cuda.is_available() else "cpu")


def _fastest(
    make: Callable[[], Algorithm], scenarios: ScenarioSet, where: Figures, seconds: float, repeats: int
) -> dict[str, Figures]:
    runs: dict[str, list[Figures]] = {by: [] for by in MEASURES}
    for _ in range(repeats):
        for by, run in MEASURES.items():
            runs[by].append(run(make(), scenarios, where["device"], where["precision"], seconds))
    return {by: max(figures, key=lambda one: one["frames_per_second"]) for by, figures in runs.items()}


def table(rows: list[Figures]) -> str:
    """The rows for the terminal."""
    formats = ("",) * 7 + (",.0f", ",.1f") + (".0%",) * 4 + (".2f", ".4f", ".2f")
    lines = [TABLE.format(*HEADS)]
    for row in rows:
        cells = [
            "-" if row[key] is None else format(row[key], shape) for key, shape in zip(COLUMNS, formats, strict=True)
        ]
        lines.append(TABLE.format(*cells))
    return "\n".join(lines)

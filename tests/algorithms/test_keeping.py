"""When a run is saved and what stops it, in process; real processes are in tests/cli/test_interruptions.py."""

import dataclasses
import errno
import functools
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Callback, LightningModule, Trainer

from litgrid.algorithms import random_streams, saved
from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import ScenarioData, Ticks
from litgrid.algorithms.keeping import Checkpoints
from litgrid.algorithms.metrics import MetricsFile, read_metrics
from litgrid.algorithms.networks import Network
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.sac import SAC, Replay
from litgrid.algorithms.validation import Validation
from litgrid.controllers.controller import Controller
from litgrid.errors import InputError, Stopped
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, Years, replace

CAPACITY = 100
WholeState = Callable[[Path, int], dict[str, Any]]


@pytest.fixture
def site(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The small site with random days in place of built years, and one action in place of the validation years."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 840, len(split)), split=split)

    def glance(simulator: Simulator, controller: Controller) -> Validation:
        start = torch.zeros(1, dtype=torch.int64)
        return Validation(float(controller.act(simulator.view(simulator.initial(start, start))).sum()), 1.0, 1.0)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.algorithms.base.validate", glance)
    return replace(small_site, years=Years(1, 1, 1))


def make(name: str = "sac") -> Algorithm:
    """An algorithm with a budget of eight batches, four in an epoch."""
    common: dict[str, Any] = {
        "env": EnvConfig(observation="entity", window_hours=6),
        "collection": Collection(envs=4, frames_per_batch=16),
        "budget": Budget(total_frames=128, frames_per_epoch=64, batches_per_row=3),
        "actor_network": Network(hidden=[8, 8], sockets=4),
        "critic_network": Network(hidden=[8, 8], sockets=4),
    }
    if name == "sac":
        return SAC(**common, replay=Replay(CAPACITY, batch_size=8, updates_per_batch=2, warmup_frames=32))
    return PPO(**common, proximity=Proximity(epochs=2, minibatch=8)) if name == "ppo" else A2C(**common)


class After(Callback):
    """Does something at the end of a batch."""

    def __init__(self, frames: int, action: Callable[[Algorithm], object]) -> None:
        self.frames, self.action = frames, action

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: ARG002
        assert isinstance(pl_module, Algorithm)
        if pl_module.frames == self.frames:
            self.action(pl_module)


def fit(folder: Path, site: Site, *callbacks: Callback, name: str = "sac", resume: bool = False, keep: int = 2) -> None:
    """Train, or go on."""
    algorithm = make(name)
    trainer = Trainer(
        max_epochs=2,
        logger=MetricsFile(folder, list(algorithm.METRICS)),
        callbacks=[*callbacks, Checkpoints(folder / "checkpoints", keep)],
        accelerator="cpu",
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    path = saved.newest(folder / "checkpoints", print) if resume else None
    trainer.fit(algorithm, datamodule=ScenarioData(site), ckpt_path=path)


def interrupted(_: Algorithm, number: int = signal.SIGINT) -> None:
    """Send the process a signal."""
    signal.raise_signal(number)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["sac", "ppo", "a2c"])
@pytest.mark.skipif(sys.platform == "win32", reason="raise_signal(SIGTERM) ends the process there")
def test_interrupted_twice_equals_uninterrupted(site: Site, tmp_path: Path, name: str, whole_state: WholeState) -> None:
    fit(tmp_path / "whole", site, name=name)
    run = tmp_path / "parts"
    for frames, number in ((32, signal.SIGTERM), (112, signal.SIGINT)):
        interrupt = After(frames, functools.partial(interrupted, number=number))
        with pytest.raises(Stopped, match=rf"stopped at frame {frames}; go on with: litgrid fit") as stop:
            fit(run, site, interrupt, name=name, resume=frames > 32)
        assert stop.value.code == 128 + number
        torch.manual_seed(frames)  # another process would draw other numbers
    fit(run, site, name=name, resume=True)
    whole, parts = whole_state(tmp_path / "whole", CAPACITY), whole_state(run, CAPACITY)
    assert [key for key in whole | parts if whole.get(key) != parts.get(key)] == []


def test_what_differs_would_be_seen(
    site: Site, tmp_path: Path, whole_state: WholeState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its random streams a run goes on differently, and the comparison above says so."""
    fit(tmp_path / "whole", site)
    with pytest.raises(Stopped):
        fit(tmp_path / "parts", site, After(32, interrupted))
    monkeypatch.setattr(random_streams, "restore", lambda *_: None)
    fit(tmp_path / "parts", site, resume=True)
    whole, parts = whole_state(tmp_path / "whole", CAPACITY), whole_state(tmp_path / "parts", CAPACITY)
    differ = {key.split(".")[1] for key in whole | parts if whole.get(key) != parts.get(key)}
    assert differ >= {"state_dict", "optimizer_states", "state", "metrics"}


def test_the_last_states_are_kept_and_nothing_else(site: Site, tmp_path: Path) -> None:
    fit(tmp_path, site)
    names = {"best.ckpt", "untrained.ckpt", "last.ckpt", "last-64.ckpt", "last-128.ckpt"}
    states = {"state/rank-0/64.pt", "state/rank-0/128.pt"}
    assert files(tmp_path / "checkpoints") == names | states | {"buffer/rank-0/0-64.pt", "buffer/rank-0/64-128.pt"}
    assert (tmp_path / "checkpoints/last.ckpt").samefile(tmp_path / "checkpoints/last-128.ckpt")
    for name in ("best.ckpt", "untrained.ckpt"):
        assert saved.RESUME not in saved.read(tmp_path / "checkpoints" / name)


def test_a_given_up_future_is_removed(site: Site, tmp_path: Path, whole_state: WholeState) -> None:
    fit(tmp_path, site)
    whole = whole_state(tmp_path, CAPACITY)
    (tmp_path / "checkpoints/last-128.ckpt").write_bytes(b"")
    with pytest.raises(Stopped):
        fit(tmp_path, site, After(80, interrupted), resume=True)
    assert {name for name in files(tmp_path / "checkpoints") if "128" in name} == set()
    fit(tmp_path, site, resume=True)
    assert whole_state(tmp_path, CAPACITY) == whole


def test_a_run_that_has_ended_stays_as_it_is(site: Site, tmp_path: Path) -> None:
    fit(tmp_path, site)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    fit(tmp_path, site, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_another_callback_may_stop_the_run(site: Site, tmp_path: Path, whole_state: WholeState) -> None:
    def stop(algorithm: Algorithm) -> None:
        algorithm.trainer.should_stop = True

    fit(tmp_path / "whole", site)
    fit(tmp_path / "parts", site, After(48, stop))
    assert saved.newest(tmp_path / "parts/checkpoints", print).name in {"last-48.ckpt", "last.ckpt"}
    fit(tmp_path / "parts", site, resume=True)
    whole, parts = whole_state(tmp_path / "whole", CAPACITY), whole_state(tmp_path / "parts", CAPACITY)
    assert [key for key in whole | parts if whole.get(key) != parts.get(key)] == []


def test_weights_that_are_no_numbers_stop_the_run(site: Site, tmp_path: Path) -> None:
    def spoil(algorithm: Algorithm) -> None:
        next(algorithm.actor.parameters()).data[0] = torch.nan

    with pytest.raises(Stopped, match=r"training has diverged: loss/\w+ is nan at frame 112; last-64.ckpt is") as stop:
        fit(tmp_path, site, After(80, spoil))
    assert stop.value.code == 1
    assert "last-128.ckpt" not in files(tmp_path / "checkpoints")
    for path in (tmp_path / "checkpoints").glob("*.ckpt"):
        assert all(value.isfinite().all() for value in saved.read(path)["state_dict"].values())
    assert read_metrics(tmp_path / "metrics.csv")[-1]["loss/actor"] == "nan"


def test_weights_that_are_no_numbers_are_never_written(site: Site, tmp_path: Path) -> None:
    def spoil(algorithm: Algorithm) -> None:
        next(algorithm.actor.parameters()).data[0] = torch.inf

    with pytest.raises(
        Stopped, match=r"diverged: \S*actor\S* has no finite values at frame 128; last-64.ckpt is the l"
    ):
        fit(tmp_path, site, After(128, spoil))
    assert not any("128" in name for name in files(tmp_path / "checkpoints"))


@pytest.mark.parametrize("write", range(7))
def test_a_full_disk_leaves_the_earlier_states(
    site: Site, tmp_path: Path, write: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write of the second epoch's end fails: metrics, segment, state, checkpoint, or a folder's list."""
    sync, left = os.fsync, [write]

    def fsync(descriptor: int) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        sync(descriptor)

    run = tmp_path / "parts"
    with pytest.raises(
        Stopped, match=r"No space left on device; last-64.ckpt is the last good checkpoint; go on"
    ) as stop:
        fit(run, site, After(128, lambda _: monkeypatch.setattr("os.fsync", fsync)))
    assert stop.value.code == 1
    monkeypatch.undo()
    assert not any(name.endswith(".part") for name in files(run))
    assert saved.newest(run / "checkpoints", pytest.fail).name in {"last-64.ckpt", "last.ckpt", "last-128.ckpt"}


def test_another_number_of_processes_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fit(tmp_path, site, After(16, interrupted))
    path = tmp_path / "checkpoints" / "last.ckpt"
    content = saved.read(path)
    content[saved.RESUME]["world_size"] = 2
    saved.write(path, content)
    with pytest.raises(InputError, match=r"found 1 processes \(trainer.devices x num_nodes\), expected 2"):
        fit(tmp_path, site, resume=True)


def test_random_streams_go_on(tmp_path: Path) -> None:
    def draw() -> tuple[float, float, float]:
        return float(torch.randn(())), float(np.random.randn()), random.gauss(0.0, 1.0)  # noqa: NPY002

    draw()
    saved.write(tmp_path / "streams.pt", random_streams.state(torch.device("cpu")))
    expected = [draw() for _ in range(3)]
    random_streams.restore(saved.read(tmp_path / "streams.pt"), torch.device("cpu"))
    assert [draw() for _ in range(3)] == expected


def test_validation_leaves_the_random_streams_alone(site: Site, tmp_path: Path) -> None:
    def check(algorithm: Algorithm) -> None:
        def streams() -> list[Any]:
            state = random_streams.state(torch.device("cpu"))
            return [state["torch"].tolist(), state["numpy"][1].tolist(), state["numpy"][2], state["python"]]

        before = streams()
        algorithm.validation_metrics()
        assert streams() == before

    fit(tmp_path, site, After(48, check))


def test_ticks_go_on() -> None:
    ticks, again = Ticks(4), Ticks(4)
    iterator = iter(ticks)
    assert [next(iterator), next(iterator)] == [0, 1]
    again.load_state_dict(ticks.state_dict())
    assert (list(again), list(again)) == ([2, 3], [0, 1, 2, 3])
    assert list(iterator) == [2, 3]
    assert ticks.state_dict() == Ticks(4).state_dict()

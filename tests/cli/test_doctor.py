"""``doctor``: from the arguments to the figures, and the probe against faults planted in each part of a training."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning import Trainer

from litgrid.algorithms import base, memory, remedies
from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.networks import Network
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.sac import SAC, Replay
from litgrid.algorithms.validation import Validation
from litgrid.cli import main, probe
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.random_district import Features, write_random
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig, WindowEnv
from litgrid.site.site import Site

SMALL = Path(__file__).resolve().parents[2] / "configs" / "sites" / "small.yaml"
CPU = torch.device("cpu")
NETWORK = {"hidden": [8, 8], "sockets": 4}
SPECIAL: dict[str, dict[str, Any]] = {
    "SAC": {"replay": {"capacity": 200, "batch_size": 8, "updates_per_batch": 2, "warmup_frames": 64}},
    "PPO": {"proximity": {"epochs": 1, "minibatch": 8}},
    "A2C": {},
    "SHAC": {"regression": {"epochs": 1, "minibatch": 8}},
}
NOISE = ("warning:", "Training", "128 frames", "Years")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few random days in place of years, validations that cost nothing, no compiler."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 10 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr(base, "validate", lambda *_: Validation(1.0, 1.0, 1.0))
    monkeypatch.setattr(probe, "missing", lambda _: "a C++ compiler")


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    """A function (algorithm, data) that writes a configuration of a few updates."""

    def write(algorithm: str, data: dict[str, Any]) -> str:
        init = {
            "env": {"observation": "flat", "window_hours": 12},
            "collection": {"envs": 4, "frames_per_batch": 32},
            "budget": {"total_frames": 128, "frames_per_epoch": 64, "batches_per_row": 1},
            "actor_network": NETWORK,
            "critic_network": NETWORK,
        }
        model = {"class_path": algorithm, "init_args": init | SPECIAL[algorithm]}
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump({"model": model, "data": data, "runs": str(tmp_path / "runs")}), "utf-8")
        return str(path)

    return write


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The figures of ``doctor``."""
    assert main(["doctor", *arguments, "--seconds", "0.1", "--json", "-"]) == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    return figures


@pytest.mark.parametrize("algorithm", ["SAC", "PPO", "A2C", "SHAC"])
def test_doctor_reports_and_leaves_nothing_behind(
    algorithm: str,
    config: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the site, and (PPO) on a data set."""
    data: dict[str, Any] = {"site": str(SMALL), "folder": str(tmp_path / "scenarios")}
    if algorithm == "PPO":
        write_random(tmp_path / "village", Features(steps=24 * 8, buildings=2, v2g=True), seed=1)
        data = {"citylearn": {"path": "village"}}
    path = config(algorithm, data)
    before = set(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    figures = doctor(capsys, "--config", path, "--model.collection.envs", "8")
    assert set(tmp_path.rglob("*")) == before
    assert figures["machine"]["gflops"]["32-true"] > 0
    assert figures["fits"] is True
    assert 0 < figures["needed_gb"] < figures["free_gb"]
    assert (figures["memory_gb"]["replay"] > 0) == (algorithm == "SAC")
    assert sum(figures["shares"].values()) == pytest.approx(1.0)
    assert figures["bottleneck"] == max(figures["shares"], key=figures["shares"].__getitem__)
    assert figures["frames_per_second"] > figures["updates_per_second"] > 0
    assert figures["budget_seconds"] >= 128 / figures["frames_per_second"]
    for row in figures["tries"]:
        assert row["ratio"] == pytest.approx(row["frames_per_second"] / figures["frames_per_second"])
        assert (row["ratio"] >= 1.05) == any(line.startswith(row["setting"]) for line in figures["advice"])


def test_a_buffer_that_does_not_fit(
    config: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``doctor`` says what would fit and goes on with that; ``fit`` refuses it."""
    path = config("SAC", {"site": str(SMALL), "folder": str(tmp_path / "scenarios")})
    huge = ["--config", path, "--model.replay.capacity", "1000000000000"]
    assert main(["fit", *huge]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(NOISE)]
    assert line.startswith("litgrid: model.replay.capacity: found 1,000,000,000,000, which takes ")
    assert not (tmp_path / "runs").exists()
    for module in (memory, remedies):
        monkeypatch.setattr(module, "free_bytes", lambda _: 1e9)
    figures = doctor(capsys, *huge)
    assert figures["fits"] is False
    assert figures["advice"][0].startswith("model.replay.capacity: found 1,000,000,000,000, which takes ")
    assert figures["frames_per_second"] > 0


def test_a_rollout_that_does_not_fit_is_not_probed(
    config: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config("A2C", {"site": str(SMALL), "folder": str(tmp_path / "scenarios")})
    monkeypatch.setattr(memory, "free_bytes", lambda _: 1e5)
    assert main(["doctor", "--config", path]) == 0
    printed = capsys.readouterr().out
    assert "DOES NOT FIT" in printed
    assert "time\n" not in printed
    assert "data.site.years.train: found 1, which takes" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "seconds"),
        (["--model.replay.capacity", "0"], "replay.capacity: found 0, expected at least 1"),
        (["--model.env.speed", "1"], "speed"),
        (["--ckpt_path", "x.ckpt"], "ckpt_path"),
        (["--json", "no/such/folder/x.json"], "no folder"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], message: str, config: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--config", config("SAC", {"site": str(SMALL)}), *arguments]) == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert message in captured


def slow(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes a third of a second more."""

    def slowed(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.33)
        return function(*arguments, **options)

    return slowed


def make(kind: type[Algorithm], **special: Any) -> Algorithm:
    """An algorithm of a few updates."""
    network = Network(hidden=[8, 8], sockets=4)
    return kind(
        env=EnvConfig(window_hours=12),
        collection=Collection(envs=4, frames_per_batch=8),
        budget=Budget(total_frames=16, frames_per_epoch=16, batches_per_row=1),
        actor_network=network,  # type: ignore[call-arg]
        critic_network=network,
        **special,
    )


@pytest.mark.parametrize(
    ("slowed", "bottleneck", "setting"),
    [
        ((WindowEnv, "_step"), "environment", "model.collection.envs 8"),
        ((SAC, "update"), "update", "trainer.precision bf16-mixed"),
        ((MetricsFile, "log_metrics"), "logging", "model.budget.batches_per_row 10"),
    ],
)
def test_the_slowest_part_is_found(
    slowed: tuple[Any, str], bottleneck: str, setting: str, small_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*slowed, slow(getattr(*slowed)))
    replay = Replay(capacity=100, batch_size=8, updates_per_batch=1, warmup_frames=1000)
    algorithm = make(SAC, replay=replay)

    def make_trainer(**options: Any) -> Trainer:
        return Trainer(accelerator="cpu", enable_model_summary=False, num_sanity_val_steps=0, **options)

    found = probe.probe(algorithm, ScenarioData(small_site), make_trainer, 0.2)
    assert next(iter(found.shares)) == bottleneck
    settings = [change.setting for change in probe.changes(algorithm, bottleneck, CPU, bf16=True)]
    assert settings[0] == setting
    assert algorithm.frames == algorithm.updates == 0  # a copy was trained


def test_validations_count_in_an_epoch() -> None:
    """1,000 frames at 100 a second, then 30 seconds of validation."""
    found = probe.Measured(100.0, 10.0, 30.0, 1000, {"environment": 0.2, "sample": 0.1, "update": 0.6, "logging": 0.1})
    assert (found.epoch_seconds, found.overall_frames_per_second) == (40.0, 25.0)
    expected = {"validation": 0.75, "update": 0.15, "environment": 0.05, "sample": 0.025, "logging": 0.025}
    assert found.shares == pytest.approx(expected)
    assert next(iter(found.shares)) == "validation"
    assert probe.changes(make(A2C), "validation", CPU, bf16=True) == []


def replay_of(algorithm: Algorithm) -> Replay:
    """The replay settings of SAC."""
    assert isinstance(algorithm, SAC)
    return algorithm.replay


def test_changes_are_made_to_a_copy() -> None:
    sac = make(SAC, replay=Replay(updates_per_batch=4))
    (fewer,) = probe.changes(sac, "sample", CPU, bf16=False)
    assert (fewer.setting, replay_of(fewer.algorithm).updates_per_batch) == ("model.replay.updates_per_batch 2", 2)
    assert (fewer.caution != "", replay_of(sac).updates_per_batch) == (True, 4)
    (larger,) = probe.changes(make(PPO, proximity=Proximity(minibatch=5)), "update", CPU, bf16=False)
    assert isinstance(larger.algorithm, PPO)
    assert (larger.setting, larger.algorithm.proximity.minibatch) == ("model.proximity.minibatch 8", 8)
    (batch,) = probe.changes(make(A2C), "update", CPU, bf16=False)
    assert (batch.setting, batch.algorithm.collection.frames_per_batch) == ("model.collection.frames_per_batch 16", 16)
    odd = make(A2C)
    odd.collection = Collection(envs=8, frames_per_batch=8)
    (more,) = probe.changes(odd, "environment", CPU, bf16=False)
    assert more.setting == "model.collection.envs 16 with model.collection.frames_per_batch 16"
    assert more.algorithm.collection == Collection(16, 16)
    assert probe.changes(make(SAC, replay=Replay(updates_per_batch=1)), "sample", CPU, bf16=False) == []

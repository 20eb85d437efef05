"""The configurations that come with the project: they compose, a run is repeated by what it keeps, the seed's job."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from litgrid.algorithms.metrics import read_metrics
from litgrid.algorithms.validation import Validation
from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
ALGORITHMS = ("sac", "ppo", "a2c")
SHORT = [
    *("--data.site", str(CONFIGS / "sites" / "small.yaml")),
    *("--model.collection.envs", "2"),
    *("--model.collection.frames_per_batch", "32"),
    *("--model.budget.total_frames", "64"),
    *("--model.budget.frames_per_epoch", "64"),
    *("--model.budget.batches_per_row", "1"),
]


@pytest.fixture(autouse=True)
def few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random days in place of years, no W&B."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 7 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setenv("WANDB_MODE", "disabled")


def short(algorithm: str) -> list[str]:
    """Options that make an algorithm's run short."""
    if algorithm == "sac":
        return [*SHORT, "--model.replay.warmup_frames", "32", "--model.replay.updates_per_batch", "1"]
    return [*SHORT, "--model.proximity.epochs", "1"] if algorithm == "ppo" else SHORT


PRESETS = {
    "sac": ("laptop_8gb", ["--trainer.precision", "16-mixed"]),
    "ppo": ("cpu", ["--trainer.precision", "bf16-mixed"]),
    "a2c": ("h200", ["--model.env.compile", "false"]),
}
"""Algorithm -> a preset of hardware, and options that change it; all run on the CPU."""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_configuration_that_a_run_keeps_repeats_it(algorithm: str, tmp_path: Path) -> None:
    """Presets and options are in it; metrics are equal, wall-clock times aside."""
    preset, changes = PRESETS[algorithm]
    presets = ["--config", str(CONFIGS / f"{algorithm}.yaml"), "--config", str(CONFIGS / "hardware" / f"{preset}.yaml")]
    options = ["--runs", str(tmp_path), "--seed_everything", "4", "--trainer.accelerator", "cpu", *changes]
    assert main(["fit", *presets, *options, *short(algorithm), "--experiment", "first"]) == 0
    run = tmp_path / "first" / algorithm / "seed-4"
    kept = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert kept["trainer"]["accelerator"] == "cpu"
    assert kept["trainer"]["precision"] == {"sac": "16-mixed", "ppo": "bf16-mixed", "a2c": "32-true"}[algorithm]
    assert main(["fit", "--config", str(run / "config.yaml"), "--experiment", "again"]) == 0
    again = tmp_path / "again" / algorithm / "seed-4"
    first, second = (
        [{key: value for key, value in row.items() if not key.startswith("time/")} for row in read_metrics(path)]
        for path in (run / "metrics.csv", again / "metrics.csv")
    )
    assert first == second
    assert first[-1]["updates"] not in ("", "0")


def script() -> ModuleType:
    """The script of the seed's job."""
    spec = importlib.util.spec_from_file_location("seed_job", ROOT / "scripts" / "seed_job.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shortened(settings: Path, folder: Path) -> Path:
    """The configurations of a folder, with budgets of a few updates, on the small site."""
    folder.mkdir()
    for algorithm in ALGORITHMS:
        values = yaml.safe_load((settings / f"{algorithm}.yaml").read_text(encoding="utf-8"))
        values["data"]["site"] = str(CONFIGS / "sites" / "small.yaml")
        own = values["model"]["init_args"]
        own["collection"] = {"envs": 1, "frames_per_batch": 32}
        own["budget"] = {"total_frames": 64, "frames_per_epoch": 64, "batches_per_row": 1}
        if "replay" in own:
            own["replay"] |= {"capacity": 64, "warmup_frames": 32, "updates_per_batch": 1}
        (folder / f"{algorithm}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def test_the_seeds_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    job = script()
    folders = {name: shortened(folder, tmp_path / name) for name, folder in job.FOLDERS.items()}
    monkeypatch.setattr(job, "FOLDERS", folders)
    monkeypatch.setattr("litgrid.algorithms.base.validate", lambda *_: Validation(1.0, 1.0, 1.0))
    runs, figures = tmp_path / "runs", tmp_path / "job.json"
    assert job.main(["--runs", str(runs), "--json", str(figures), "--trainer.accelerator", "cpu"]) == 0
    rule, *rows = json.loads(figures.read_text(encoding="utf-8"))["rows"]
    assert rule["controller"] == "self_consumption"
    agents = [(settings, algorithm) for settings in ("seed", "ours") for algorithm in ALGORITHMS]
    assert [(row["settings"], row["controller"]) for row in rows] == agents
    for row in rows:
        assert row["frames"] == 64
        assert row["updates"] > 0
        assert row["wall_seconds"] > 0
        tested = runs / f"seed-job-{row['settings']}" / row["controller"] / "seed-0" / "test.json"
        found = json.loads(tested.read_text(encoding="utf-8"))["controllers"]
        assert row["test"] == found[-1]["objective"] != row["validation"]
        assert rule["test"] == found[-2]["objective"]
    assert capsys.readouterr().out.rstrip().splitlines()[-1].startswith("ours      a2c")


def test_a_job_that_fails_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script().main(["--runs", str(tmp_path), "--model.collection.envs", "0"]) == 2
    assert "collection.envs: found 0, expected at least 1" in capsys.readouterr().err

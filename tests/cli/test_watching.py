"""What can be watched while a run trains, from its YAML: W&B, Lightning's callbacks and profiler, progress."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
import yaml
from wandb.proto import wandb_internal_pb2

from litgrid.algorithms.metrics import read_metrics
from litgrid.cli.curves import Curves
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "configs" / "sites" / "small.yaml"
VALUES: dict[str, Any] = {
    "model": {
        "class_path": "PPO",
        "init_args": {
            "env": {"observation": "entity", "window_hours": 12},
            "collection": {"envs": 4, "frames_per_batch": 32},
            "budget": {"total_frames": 192, "frames_per_epoch": 64, "batches_per_row": 1},
            "actor_network": {"hidden": [8, 8], "sockets": 4},
            "critic_network": {"hidden": [8, 8], "sockets": 4},
        },
    },
    "data": {"site": str(SMALL)},
    "trainer": {
        "profiler": "simple",
        "callbacks": [
            {"class_path": "LearningRateMonitor", "init_args": {"logging_interval": "step"}},
            {"class_path": "DeviceStatsMonitor"},
            {
                "class_path": "EarlyStopping",
                "init_args": {"monitor": "val/ev_service", "mode": "max", "stopping_threshold": 0.1, "verbose": True},
            },
        ],
    },
}
Record: Any = wandb_internal_pb2.Record  # type: ignore[attr-defined]
BLOCK = 32_768  # bytes of a block of W&B's file; records are split where a block ends


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few random days in place of years."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 35 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)


@dataclasses.dataclass
class Watched:
    """A finished run, and what was said meanwhile."""

    folder: Path
    said: str
    records: list[Any]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A run of the program that early stopping ends after the first of three epochs."""
    folder = tmp_path_factory.mktemp("watching")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(VALUES), encoding="utf-8")
    options = ["--config", str(folder / "tiny.yaml"), "--runs", str(folder), "--experiment", "one"]
    options += ["--data.folder", str(folder / "scenarios")]
    done = subprocess.run(
        [sys.executable, "-m", "src.cli", "fit", *options, "--seed_everything", "5"],
        cwd=ROOT,
        env=os.environ | {"WANDB_MODE": "offline"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = folder / "one" / "ppo" / "seed-5"
    (path,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    return Watched(run, done.stderr + done.stdout, [Record.FromString(data) for data in records(path.read_bytes())])


def records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a file of W&B: LevelDB's log format after a header of 7 bytes; a cut tail is left out."""
    place, parts = 7, b""
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        place += 7
        if place + length > len(data):
            return
        parts += data[place : place + length]
        place += length
        if kind in (1, 4):  # a whole record, or its last part
            yield parts
            parts = b""


def history(found: list[Any]) -> list[dict[str, Any]]:
    """Return the rows of the curves."""
    rows = [record.history.item for record in found if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row} for row in rows]


def test_wandb_holds_what_metrics_csv_holds(watched: Watched) -> None:
    expected = read_metrics(watched.folder / "metrics.csv")
    columns = set(expected[0])
    found = []
    for row in history(watched.records):
        own = {key: value for key, value in row.items() if key in columns}
        if own.keys() != {"frames"}:  # else of a callback of Lightning
            found.append({key: str(own[key]) if key == "frames" else f"{own[key]:.6g}" for key in own})
    assert found == [{key: cell for key, cell in row.items() if cell} for row in expected]
    assert [row["frames"] for row in expected] == ["0", "32", "64", "64"]


def test_a_cut_tail_costs_the_last_record_alone(watched: Watched) -> None:
    (path,) = (watched.folder / "wandb").glob("offline-run-*/run-*.wandb")
    data = path.read_bytes()
    whole = list(records(data))
    assert list(records(data[:-1])) == whole[:-1]


def test_wandb_knows_the_run(watched: Watched) -> None:
    (run,) = {record.run.run_id: record.run for record in watched.records if record.HasField("run")}.values()
    assert (run.project, run.run_group, run.job_type, run.display_name) == ("litgrid", "one", "ppo", "ppo-seed-5")
    config: dict[str, Any] = {}
    for record in watched.records:
        updates = record.run.config.update if record.HasField("run") else record.config.update
        config |= {item.key: json.loads(item.value_json) for item in updates}
    assert config["seed_everything"] == 5
    assert config["model"]["init_args"]["collection"]["frames_per_batch"] == 32
    assert config["data"]["site"]["battery"]["capacity_kwh"] == 40


def test_all_curves_are_against_frames(watched: Watched) -> None:
    metrics = [record.metric for record in watched.records if record.HasField("metric")]
    assert [metric.step_metric for metric in metrics if metric.glob_name == "*"][-1] == "frames"
    assert all("frames" in row for row in history(watched.records))


def test_lightning_s_callbacks_and_profiler_are_usable(watched: Watched) -> None:
    rows = history(watched.records)
    rates = [(row["frames"], row["lr-Adam/actor"]) for row in rows if "lr-Adam/actor" in row]
    assert rates == [(0, 3e-4), (32, 3e-4)]  # logged where a batch starts
    device = [row for row in rows if any(key.startswith("DeviceStatsMonitor.on_train_batch_end") for key in row)]
    assert [row["frames"] for row in device] == [32, 64]
    assert "Stopping threshold reached: val/ev_service" in watched.said
    assert (watched.folder / "evaluation.json").is_file()
    assert "run_training_batch" in watched.said  # the profiler's table


def test_progress_says_where_the_run_stands(watched: Watched) -> None:
    lines = [line.split() for line in watched.said.splitlines() if " frames   validation objective" in line]
    assert [line[0] for line in lines] == ["0", "64"]
    kg = float(read_metrics(watched.folder / "metrics.csv")[-1]["val/co2_kg"])
    assert f"CO2 {kg:,.0f} kg" in " ".join(lines[1])
    assert lines[0][-1] != "left"
    assert lines[1][-1] == "left"


class OnlineRun:
    """What ``Curves.finish`` uses of a run of W&B."""

    id = "abc"
    offline = False

    def __init__(self) -> None:
        self.summary: dict[str, float] = {}
        self.artifacts: list[wandb.Artifact] = []
        self.finish: Callable[[], None] = lambda: None

    def log_artifact(self, artifact: wandb.Artifact) -> None:
        """Keep it."""
        self.artifacts.append(artifact)


@pytest.mark.parametrize("offline", [False, True])
def test_the_best_policy_is_an_artifact_where_wandb_is_online(watched: Watched, offline: bool) -> None:
    run = OnlineRun()
    run.offline = offline
    logger = Curves.__new__(Curves)
    logger._experiment, logger._defined = run, True  # type: ignore[assignment]
    files = [watched.folder / "config.yaml", watched.folder / "checkpoints" / "best.ckpt"]
    logger.finish({"validation/ppo/objective": 1.0}, files)
    assert run.summary == {"validation/ppo/objective": 1.0}
    assert [sorted(artifact.manifest.entries) for artifact in run.artifacts] == (
        [] if offline else [["best.ckpt", "config.yaml"]]
    )
    assert torch.load(files[1], weights_only=True)["litgrid"]["algorithm"] == "ppo"

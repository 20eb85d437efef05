"""``fit --ckpt_path``: from the command line to the checkpoint that a run goes on from."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
import yaml

from litgrid.algorithms import saved
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.metrics import read_metrics
from litgrid.algorithms.validation import Validation
from litgrid.cli import main
from litgrid.cli.records import wandb_id
from litgrid.cli.runs import latest_run
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.rules import TimeOfUse
from litgrid.site.site import Site

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "configs" / "sites" / "small.yaml"
INIT: dict[str, Any] = {
    "env": {"observation": "entity", "window_hours": 12},
    "collection": {"envs": 4, "frames_per_batch": 32},
    "budget": {"total_frames": 128, "frames_per_epoch": 64, "batches_per_row": 1},
    "replay": {"capacity": 200, "batch_size": 8, "updates_per_batch": 1, "warmup_frames": 32},
    "actor_network": {"hidden": [8, 8], "sockets": 4},
    "critic_network": {"hidden": [8, 8], "sockets": 4},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few random days in place of years, and of the validation; no W&B."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 35 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.algorithms.base.validate", lambda *_: Validation(1.0, 1.0, 1.0))
    monkeypatch.setattr("litgrid.cli.train.TrainCLI.after_fit", lambda _: None)
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of a few updates on the small site."""
    folder = tmp_path_factory.mktemp("resuming")
    path = folder / "tiny.yaml"
    values = {
        "model": {"class_path": "SAC", "init_args": INIT},
        "data": {"site": str(SMALL), "folder": str(folder / "scenarios")},
    }
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture
def fit(config: Path, tmp_path: Path) -> Callable[..., int]:
    """A function that runs ``fit`` with options; the runs are in ``tmp_path``."""
    return lambda *options: main(["fit", "--config", str(config), "--runs", str(tmp_path), *options])


Fit = Callable[..., int]


@pytest.fixture
def run(fit: Fit, tmp_path: Path) -> Path:
    """A finished run."""
    assert fit() == 0
    return tmp_path / "small" / "sac" / "seed-0"


def frames(run: Path) -> int:
    return saved.frames_of(saved.read(saved.newest(run / "checkpoints", print)))


def test_last_is_the_newest_run_of_this_name(fit: Fit, run: Path, tmp_path: Path) -> None:
    assert fit() == 0
    assert fit("--model.budget.total_frames", "192", "--ckpt_path", "last") == 0
    assert frames(run) == 128
    assert frames(tmp_path / "small-2" / "sac" / "seed-0") == 192
    assert {path.name for path in tmp_path.iterdir()} == {"small", "small-2"}


def test_numbers_of_experiments_count_as_numbers(tmp_path: Path) -> None:
    for name in ("a", "a-2", "a-10", "a-b", "a-11"):
        (tmp_path / name / ("ppo" if name == "a-11" else "sac") / "seed-0").mkdir(parents=True)
    assert latest_run(tmp_path, "a", "sac", 0) == tmp_path / "a-10" / "sac" / "seed-0"
    with pytest.raises(InputError, match=r"ckpt_path last: found no run .*seed-1, expected one to go on with"):
        latest_run(tmp_path, "a", "sac", 1)


@pytest.mark.parametrize("path", ["last", "last.ckpt"])
def test_a_damaged_newest_one_is_named_and_the_one_before_is_taken(
    fit: Fit, run: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = run / "checkpoints" / "last-128.ckpt"
    os.truncate(newest, 1000)
    capsys.readouterr()
    assert fit("--ckpt_path", "last" if path == "last" else str(run / "checkpoints" / path)) == 0
    error = capsys.readouterr().err
    assert error.count("passed over: it is cut short or no checkpoint") == 1
    assert frames(run) == 128
    assert [row["frames"] for row in read_metrics(run / "metrics.csv")] == ["0", "32", "64", "64", "96", "128", "128"]


def test_the_run_s_own_configuration_is_enough(run: Path) -> None:
    (run / "checkpoints" / "last-128.ckpt").unlink()
    (run / "checkpoints" / "last.ckpt").unlink()
    assert main(["fit", "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]) == 0
    assert frames(run) == 128
    assert main(["fit", "--ckpt_path", str(run / "checkpoints" / "last-64.ckpt")]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.collection.envs", "8"], "model.init_args.collection.envs: found 8, expected 4, as in"),
        (["--model.replay.capacity", "100"], "model.init_args.replay.capacity: found 100, expected 200, as in"),
        (["--model.actor_network.hidden", "[9, 8]"], "model.init_args.actor_network.hidden: found [9, 8], expected"),
        (["--data.site.battery.capacity_kwh", "41"], "data.site.battery.capacity_kwh: found 41.0, expected 40"),
        (["--trainer.precision", "bf16-mixed"], "trainer.precision: found bf16-mixed, expected None"),
        (["--model.budget.total_frames", "64"], "total_frames: found 64, expected at least the 128 of last"),
    ],
)
def test_other_settings_are_refused(
    fit: Fit, run: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert fit(*options, "--ckpt_path", "last") == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_rules_may_get_other_numbers(fit: Fit, run: Path) -> None:
    spread = str(not TimeOfUse().spread).lower()
    assert fit("--data.site.rules.time_of_use.spread", spread, "--ckpt_path", "last") == 0
    kept = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert kept["data"]["site"]["rules"]["time_of_use"]["spread"] is not TimeOfUse().spread


def test_none_at_all_is_wrong_input(fit: Fit, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert fit("--seed_everything", "7", "--ckpt_path", "last") == 2
    assert "found no run" in capsys.readouterr().err
    for path in (run / "checkpoints").glob("last*.ckpt"):
        path.unlink()
    assert fit("--ckpt_path", "last") == 2
    assert "found no good checkpoint in" in capsys.readouterr().err
    assert fit("--ckpt_path", str(run / "checkpoints" / "best.ckpt")) == 2
    assert "has weights, and not the state that a run goes on from; expected last.ckpt" in capsys.readouterr().err
    assert main(["fit", "--ckpt_path", "last"]) == 2
    assert "found no --config" in capsys.readouterr().err
    assert main(["fit", "--ckpt_path", str(run / "none.ckpt")]) == 2
    assert "found no config.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keep", "expected"), [("1", {"last-128.ckpt"}), ("3", {f"last-{n}.ckpt" for n in (0, 64, 128)})]
)
def test_as_many_are_kept_as_wanted(fit: Fit, tmp_path: Path, keep: str, expected: set[str]) -> None:
    assert fit("--keep_last", keep) == 0
    assert {path.name for path in tmp_path.rglob("last-*.ckpt")} == expected


def test_a_signal_is_an_exit_code_and_a_line(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    step = Algorithm.training_step

    def interrupted(self: Algorithm, batch: int, batch_idx: int) -> None:
        step(self, batch, batch_idx)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Algorithm, "training_step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert fit() == 130
    last = tmp_path / "small" / "sac" / "seed-0" / "checkpoints" / "last.ckpt"
    assert f"litgrid: stopped at frame 32; go on with: litgrid fit --ckpt_path {last}\n" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_losses_that_are_no_numbers_are_an_exit_code_and_a_line(
    fit: Fit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Algorithm, "on_before_optimizer_step", lambda _, optimizer: _spoil(optimizer))
    assert fit() == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("litgrid: ")]
    assert line.startswith("litgrid: training has diverged: loss/critic is nan at frame 64; last-0.ckpt is the last")


def _spoil(optimizer: torch.optim.Optimizer) -> None:
    optimizer.param_groups[0]["params"][0].grad.fill_(torch.nan)


def test_wandb_goes_on_with_the_same_run(tmp_path: Path) -> None:
    assert wandb_id(tmp_path) is None
    for name in ("offline-run-20261120_101010-ab12cd34", "offline-run-20261120_111111-ab12cd34", "latest-run"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    assert wandb_id(tmp_path) == "ab12cd34"


LIMITED = """
import dataclasses, os, resource, sys, threading, time
from pathlib import Path
import litgrid.scenarios.store as store
from litgrid.scenarios.random import random_scenarios
store.load = lambda site, split, _: dataclasses.replace(random_scenarios(site, 1, 35 * 24, len(split)), split=split)
from litgrid.algorithms.last_states import LastStates
save = LastStates.save
def limited(self, trainer, algorithm):
    if algorithm.frames == 128:  # from here on no file may grow beyond this
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    save(self, trainer, algorithm)
LastStates.save = limited
from litgrid.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
def test_a_full_disk_is_an_exit_code_and_a_line(config: Path, tmp_path: Path) -> None:
    arguments = ["fit", "--config", str(config), "--runs", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", LIMITED, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("litgrid: ")]
    assert "could not be written: File too large; last-64.ckpt is the last good checkpoint; go on with" in line
    assert "Traceback" not in done.stderr
    run = tmp_path / "small" / "sac" / "seed-0"
    assert not list(run.rglob("*.part"))
    assert frames(run) == 64


@pytest.fixture
def shared() -> Iterator[None]:
    """W&B's background process of this process, which its children share."""
    wandb.setup(wandb.Settings(silent=True))
    yield
    wandb.teardown()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM")
@pytest.mark.usefixtures("shared")
def test_the_program_itself(config: Path, tmp_path: Path) -> None:
    """With W&B, in its own group of processes, as a terminal's Ctrl-C meets it; then on to the end."""
    budget = ["--model.budget.total_frames", "2560", "--model.budget.frames_per_epoch", "1280"]
    command = [sys.executable, "-m", "src.cli", "fit", "--config", str(config), "--runs", str(tmp_path), *budget]
    environment = os.environ | {"WANDB_MODE": "offline"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    metrics = tmp_path / "small" / "sac" / "seed-0" / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and len(read_metrics(metrics)) > 5):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130, error
    assert "Traceback" not in error
    last = ["--ckpt_path", "last", "--model.budget.total_frames", "1280"]
    done = subprocess.run([*command, *last], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = [int(row["frames"]) for row in read_metrics(metrics)]
    assert seen == [0, *range(32, 1281, 32), 1280]
    assert len({path.name.rsplit("-", 1)[1] for path in metrics.parent.glob("wandb/offline-run-*")}) == 1

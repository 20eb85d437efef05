"""``fit``, ``validate``, ``test`` and ``predict``, from the arguments to the files."""

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from litgrid.algorithms.metrics import read_metrics
from litgrid.algorithms.sac import SAC
from litgrid.cli import main
from litgrid.cli.messages import one_line
from litgrid.cli.runs import new_run, run_of
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "configs" / "sites" / "small.yaml"
DAYS = 35
INIT = {
    "env": {"observation": "entity", "window_hours": 12},
    "collection": {"envs": 4, "frames_per_batch": 32},
    "budget": {"total_frames": 128, "frames_per_epoch": 64, "batches_per_row": 1},
    "replay": {"capacity": 200, "batch_size": 8, "updates_per_batch": 1, "warmup_frames": 32},
    "actor_network": {"hidden": [8, 8], "sockets": 4},
    "critic_network": {"hidden": [8, 8], "sockets": 4},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where configuration and runs are."""
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def config(folder: Path) -> Path:
    """A configuration of a few updates on the small site."""
    path = folder / "tiny.yaml"
    values = {
        "model": {"class_path": "SAC", "init_args": INIT},
        "data": {"site": str(SMALL), "folder": str(folder / "scenarios")},
        "runs": str(folder / "runs"),
    }
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def random_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few random days in place of years; no W&B, unless a test wants it."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, DAYS * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.fixture(scope="module")
def run(folder: Path, config: Path) -> Path:
    """The folder of a finished run."""
    with pytest.MonkeyPatch.context() as patch:
        random_years.__wrapped__(patch)  # type: ignore[attr-defined]
        patch.setenv("WANDB_MODE", "offline")
        assert main(["fit", "--config", str(config), "--seed_everything", "3", "--experiment", "first"]) == 0
    return folder / "runs" / "first" / "sac" / "seed-3"


def test_a_run_keeps_what_it_did(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert names == {"config.yaml", "metrics.csv", "checkpoints", "evaluation.json", "wandb"}
    checkpoints = {path.name for path in (run / "checkpoints").iterdir()}
    lasts = {"last.ckpt", "last-64.ckpt", "last-128.ckpt", "state", "buffer"}
    assert checkpoints == {"best.ckpt", "untrained.ckpt"} | lasts
    assert list((run / "wandb").glob("offline-run-*/run-*.wandb"))
    rows = read_metrics(run / "metrics.csv")
    assert list(rows[0]) == ["frames", *SAC.METRICS]
    assert rows[-1]["frames"] == "128"


def test_a_run_ends_with_the_validation_years(run: Path) -> None:
    figures = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["split"] == "validation"
    rows = [(row["controller"], row["seed"]) for row in figures["controllers"]]
    assert rows == [("uncontrolled", None), ("self_consumption", None), ("sac", 3), ("sac_untrained", 3)]
    assert figures["ladder"][-1]["rung"] == "sac"


def test_the_configuration_that_is_kept_is_whole_and_says_the_same(run: Path, folder: Path) -> None:
    kept = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert kept["seed_everything"] == 3
    assert kept["model"]["init_args"]["replay"]["capacity"] == 200
    assert kept["model"]["init_args"]["discount"] == pytest.approx(SAC().discount)
    assert kept["data"]["site"]["battery"]["capacity_kwh"] == 40
    arguments = ["fit", "--config", str(run / "config.yaml"), "--experiment", "again"]
    assert main(arguments) == 0
    again = folder / "runs" / "again" / "sac" / "seed-3"
    first = (read_metrics(path / "metrics.csv") for path in (run, again))
    timeless = [[{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows] for rows in first]
    assert timeless[0] == timeless[1]


def test_test_years_are_logged_with_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = str(run / "checkpoints" / "best.ckpt")
    assert main(["validate", "--ckpt_path", checkpoint, "--json", "-"]) == 0
    validation = json.loads(capsys.readouterr().out)
    assert validation["split"] == "validation"
    kept = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert validation["controllers"][2] == kept["controllers"][2]
    assert not (run / "test_evaluations.jsonl").exists()
    assert main(["test", "--ckpt_path", checkpoint, "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["split"] == "test"
    (line,) = (run / "test_evaluations.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["objective"] == figures["controllers"][2]["objective"]


def test_a_schedule_balances(run: Path) -> None:
    assert main(["predict", "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]) == 0
    with (run / "schedule-test.csv").open(newline="", encoding="utf-8") as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert len(rows) == DAYS * 24
    assert [rows[31 * 24 + 13][key] for key in ("year", "month", "day", "hour")] == [0, 2, 1, 13]
    for row in rows[:100]:
        assert row["grid_kw"] == pytest.approx(row["load_kw"] + row["ev_kw"] + row["bess_kw"] - row["pv_kw"], abs=1e-3)


def test_a_resumed_run_stays_in_its_folder(config: Path, folder: Path) -> None:
    arguments = ["fit", "--config", str(config), "--experiment", "resumed"]
    assert main(arguments) == 0
    run = folder / "runs" / "resumed" / "sac" / "seed-0"
    longer = ["--model.budget.total_frames", "192", "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]
    assert main([*arguments, *longer]) == 0
    assert read_metrics(run / "metrics.csv")[-1]["frames"] == "192"
    assert not (folder / "runs" / "resumed-2").exists()
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["litgrid"]["frames"] == 192


def test_runs_are_never_overwritten(tmp_path: Path) -> None:
    first = new_run(tmp_path, "iquitos", "sac", 0)
    assert first == tmp_path / "iquitos" / "sac" / "seed-0"
    first.mkdir(parents=True)
    assert new_run(tmp_path, "iquitos", "sac", 0) == tmp_path / "iquitos-2" / "sac" / "seed-0"
    assert new_run(tmp_path, "iquitos", "sac", 1) == tmp_path / "iquitos" / "sac" / "seed-1"
    with pytest.raises(InputError, match="experiment: found 'a/b', expected a name without slashes"):
        new_run(tmp_path, "a/b", "sac", 0)


def test_checkpoints_belong_to_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ckpt_path: found no file"):
        run_of(tmp_path / "none.ckpt")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    with pytest.raises(InputError, match=r"ckpt_path: found no config.yaml in"):
        run_of(tmp_path / "checkpoints" / "best.ckpt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.replay.batchsize", "3"], "unrecognized arguments: --replay.batchsize=3"),
        (["--model.discont", "0.9"], "model: Option 'discont' is not accepted"),
        (["--model.discount", "high"], "discount: Expected a float. Got value: high"),
        (["--model.budget.total_frames", "100"], "budget.total_frames: found 100, expected a multiple of budget."),
        (["--model.collection.envs", "5"], "collection.frames_per_batch: found 32, expected a multiple of collection"),
        (["--model", "SACC"], "SACC"),
        (["--data.site.battery.capacity_kwh", "-3"], "battery.capacity_kwh: found -3.0, expected at least 0 kWh"),
        (["--data.site", "none.yaml"], "none.yaml"),
        (["--trainer.max_epochs", "3"], "trainer.max_epochs: it follows from model.budget"),
        (["--trainer.devices", "none"], "devices"),
        (["--nothing", "3"], "unrecognized arguments: --nothing 3"),
        (["--seed_everything", "-1"], "seed_everything"),
        (["--ckpt_path", "none.ckpt"], "ckpt_path: found no file none.ckpt"),
        (["--json", "nowhere/figures.json"], "there is no folder nowhere"),
        (["--experiment", "a/b"], "experiment: found 'a/b'"),
    ],
)
def test_wrong_input_is_one_line(
    config: Path, folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((folder / "runs").rglob("*"))
    assert main(["fit", "--config", str(config), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted((folder / "runs").rglob("*")) == before


def test_a_kept_configuration_names_files_wherever_it_is_read(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SMALL.read_text(encoding="utf-8") + "carbon: {file: {path: carbon.csv}}\n"
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "carbon.csv").write_text("carbon_kg_per_kwh\n", encoding="utf-8")
    values = yaml.safe_load(config.read_text(encoding="utf-8")) | {"runs": str(tmp_path / "runs")}
    values["data"]["site"] = "site.yaml"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert main(["fit", "--config", str(tmp_path / "config.yaml")]) == 0
    monkeypatch.chdir(tmp_path.parent)
    checkpoint = tmp_path / "runs" / "small" / "sac" / "seed-0" / "checkpoints" / "best.ckpt"
    assert main(["test", "--ckpt_path", str(checkpoint)]) == 0
    kept = yaml.safe_load((checkpoint.parents[1] / "config.yaml").read_text(encoding="utf-8"))
    assert kept["data"]["site"]["carbon"]["file"]["path"] == str(tmp_path / "carbon.csv")


def test_a_configuration_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit"]) == 2
    assert capsys.readouterr().err == (
        "litgrid: fit: found no options, expected a configuration such as --config configs/sac.yaml\n"
    )


def test_a_checkpoint_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test"]) == 2
    assert capsys.readouterr().err.startswith("litgrid: test: found no --ckpt_path, expected one such as runs/")


def test_what_is_no_checkpoint_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = run / "checkpoints" / "broken.ckpt"
    broken.write_text("nothing", encoding="utf-8")
    assert main(["test", "--ckpt_path", str(broken)]) == 2
    assert "expected a checkpoint that `fit` wrote" in capsys.readouterr().err
    broken.unlink()


def test_an_agent_has_to_fit_the_site(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--data.site.tariff.demand", "[]"]
    assert main(["validate", *arguments]) == 2
    assert "expected one that fits small with 12 sockets" in capsys.readouterr().err


def test_a_preset_brings_its_weights(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The objective of `co2` is the mass of CO2, of the very same schedule."""
    arguments = ["--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--data.site.objective.preset", "co2"]
    assert main(["validate", *arguments, "--json", "-"]) == 0
    for row in json.loads(capsys.readouterr().out)["controllers"]:
        assert row["objective"] == pytest.approx(row["co2_kg"], rel=1e-6)


def test_messages_keep_what_matters() -> None:
    message = """Parser key "model":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'Algorithm'>, <class 'NoneType'>]
  Errors:
    - Parser key "lr":
        Expected a <class 'float'>. Got value: abc
    - Expected a <class 'NoneType'>
  Given value type: <class 'jsonargparse._util.NestedArg'>
  Given value: NestedArg(key='lr', val='abc')"""
    assert one_line(message) == "model: lr: Expected a float. Got value: abc"


@pytest.mark.slow
def test_the_smoke_configuration(tmp_path: Path) -> None:
    """The program itself, on scenarios that it builds."""
    options = ["--config", "configs/smoke.yaml", "--runs", str(tmp_path), "--data.folder", str(tmp_path / "scenarios")]
    done = subprocess.run(
        [sys.executable, "-m", "src.cli", "fit", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "sac_untrained (seed 0)" in done.stdout
    assert "3,840 frames   validation objective" in done.stderr
    assert "Warning" not in done.stderr
    assert (tmp_path / "small" / "sac" / "seed-0" / "evaluation.json").is_file()

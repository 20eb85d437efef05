"""The command ``compare``, from the folders of runs to the files, on a small site."""

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
import yaml

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.base import Budget, Collection
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.sources import SiteYears
from litgrid.cli import main
from litgrid.cli.compare import compare_runs
from litgrid.evaluation import tables
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.rules import TimeOfUse
from litgrid.site.site import Site, Years, replace

COLLECTION: dict[str, Any] = {"envs": 4, "frames_per_batch": 8}
BUDGET: dict[str, Any] = {"total_frames": 16, "frames_per_epoch": 8}
METRICS = "frames,val/objective,time/minutes\n0,{first},0\n16,{last},0.5\n"


@pytest.fixture(autouse=True)
def short_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two random days instead of built years; no W&B, unless a test wants it."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 2, 2 * site.steps_per_day), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setenv("WANDB_MODE", "disabled")


def make_run(folder: Path, site: Site, seed: int, best: bool = True) -> Path:
    """A run with an agent that has not learned anything, as ``fit`` would have written it."""
    (folder / "checkpoints").mkdir(parents=True)
    model = {"class_path": "litgrid.algorithms.sac.SAC", "init_args": {"collection": COLLECTION, "budget": BUDGET}}
    plain = json.loads(json.dumps(dataclasses.asdict(replace(site, years=Years(1, 1, 2)))))
    config = {"seed_everything": seed, "model": model, "data": {"site": plain}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "metrics.csv").write_text(METRICS.format(first=300 + seed, last=200 + seed), encoding="utf-8")
    if best:
        algorithm = SAC(collection=Collection(**COLLECTION), budget=Budget(**BUDGET))
        torch.manual_seed(seed)
        actor = algorithm.make_actor(spaces(SiteYears(site).sample(), algorithm.env_config))
        weights = {f"actor.{key}": value for key, value in actor.state_dict().items()}
        torch.save({"state_dict": weights}, folder / "checkpoints" / "best.ckpt")
    return folder


@pytest.fixture
def experiment(tmp_path: Path, small_site: Site) -> Path:
    """An experiment with two seeds."""
    for seed in (0, 1):
        make_run(tmp_path / "runs" / "small" / "sac" / f"seed-{seed}", small_site, seed)
    return tmp_path / "runs" / "small"


def compare(*arguments: object) -> int:
    return main(["compare", *map(str, arguments)])


def test_a_folder_of_runs_becomes_tables_and_is_logged_with_each_run(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "comparison"
    assert compare(experiment, "--controllers", "uncontrolled,self_consumption", "--out", out) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("small: test, mean of 2 years\n\nChoose ")
    assert {path.name for path in out.iterdir()} >= {"comparison.csv", "comparison.md", "comparison.tex", "report.html"}
    figures = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    names = [(row["controller"], row["seed"]) for row in figures["controllers"]]
    assert list(figures["validation"]) == ["self_consumption"]
    assert sorted(names, key=str) == [("sac", 0), ("sac", 1), ("self_consumption", None), ("uncontrolled", None)]
    with (out / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["controller"]: row for row in csv.DictReader(file)}
    assert rows["sac"]["seeds"] == "2"
    for seed in (0, 1):
        log = experiment / "sac" / f"seed-{seed}" / "test_evaluations.jsonl"
        (line,) = log.read_text(encoding="utf-8").splitlines()
        (row,) = [row for row in figures["controllers"] if row["seed"] == seed]
        assert json.loads(line)["objective"] == row["objective"]


def test_standard_output_is_json_alone_and_validation_years_are_not_logged(
    experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = experiment / "sac" / "seed-1"
    assert compare(run, experiment, "--controllers", "idle", "--split", "validation", "--json", "-") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["split"] == "validation"
    assert sorted(row["seed"] for row in figures["controllers"] if row["controller"] == "sac") == [0, 1]  # each once
    assert not (run / "test_evaluations.jsonl").exists()


def test_experiments_of_one_algorithm_are_entries_of_their_own(experiment: Path, small_site: Site) -> None:
    make_run(experiment.parent / "small-2" / "sac" / "seed-0", small_site, 0)
    comparison = compare_runs([experiment.parent], controllers=["uncontrolled"])
    found = {entry.name: len(entry.rows) for entry in comparison.entries}
    assert found == {"small/sac": 2, "small-2/sac": 1, "uncontrolled": 1}
    assert set(comparison.figures["ladders"]) == {"small/sac", "small-2/sac"}


def test_unfinished_runs_are_named_and_left_out(
    experiment: Path, small_site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(experiment / "sac" / "seed-2", small_site, 2, best=False)
    comparison = compare_runs([experiment], controllers=[])
    assert [len(entry.rows) for entry in comparison.entries] == [2]
    assert "seed-2 is left out: it has no best.ckpt yet" in capsys.readouterr().err


def test_a_comparison_in_wandb_can_be_read_back(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    started: dict[str, Any] = {}
    init = wandb.init

    def spy(**options: Any) -> Any:
        started.update(options)
        return init(**options)

    monkeypatch.setattr("wandb.init", spy)
    out = tmp_path / "out"
    comparison = compare_runs([experiment], out, controllers=["uncontrolled"])
    assert (started["job_type"], started["group"], started["project"]) == ("comparison", "small", "litgrid")
    (media,) = (out / "wandb").glob("offline-run-*/files/media/table")
    ranking = read_table(media, "comparison_*")
    assert ranking["columns"] == list(tables.records(comparison)[0])
    assert ranking["data"] == [list(record.values()) for record in tables.records(comparison)]
    for axis, ends in (("frames", [0.0, 16.0]), ("minutes", [0.0, 0.5])):
        rows = read_table(media, f"curves/{axis}_table_*")["data"]
        expected = {f"sac (seed {seed})": [[ends[0], 300.0 + seed], [ends[1], 200.0 + seed]] for seed in (0, 1)}
        assert {name: [[x, y] for x, key, y in rows if key == name] for _, name, _ in rows} == expected


def read_table(media: Path, pattern: str) -> dict[str, Any]:
    """Read a table that W&B keeps beside its records."""
    (path,) = media.glob(f"{pattern}.table.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--controllers", "greedy"], "controllers: found 'greedy', expected some of: idle"),
        (["--split", "tomorrow"], "choose from 'train', 'validation', 'test'"),
        (["--json", "nowhere/figures.json"], "there is no folder nowhere"),
        (["--wandb", "true"], "--wandb: found true without --out"),
        (["nowhere"], "nowhere: found no run with a best.ckpt, expected runs/<experiment>/<algorithm>/seed-<n>"),
    ],
)
def test_wrong_input_is_one_line(
    experiment: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(experiment, *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not list(experiment.rglob("test_evaluations.jsonl"))


def test_runs_of_different_sites_need_a_site(
    experiment: Path, small_site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(small_site, objective=dataclasses.replace(small_site.objective, carbon_per_kg=9.0))
    make_run(experiment / "ppo" / "seed-0", other, 0)
    assert compare(experiment) == 2
    assert "found another site or objective than" in capsys.readouterr().err
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(small_site)))), encoding="utf-8")
    out = tmp_path / "out"
    out.write_text("a file", encoding="utf-8")
    assert compare(experiment, "--config", site, "--out", out) == 2
    assert f"--out {out}: found a file, expected a folder or nothing" in capsys.readouterr().err


def test_runs_whose_rules_have_other_numbers_are_of_one_site(experiment: Path, small_site: Site) -> None:
    rules = dataclasses.replace(small_site.rules, time_of_use=TimeOfUse(spread=not TimeOfUse().spread))
    make_run(experiment / "sac" / "seed-2", replace(small_site, rules=rules), 2)
    comparison = compare_runs([experiment], controllers=[])
    assert [len(entry.rows) for entry in comparison.entries] == [3]
    (difference,) = comparison.differences
    assert difference.setting == "data.site.rules.time_of_use.spread"


def test_the_same_seed_twice_is_no_sample_of_two(
    experiment: Path, small_site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(experiment / "sac" / "seed-0-again", small_site, 0)
    assert compare(experiment) == 2
    assert "found sac (seed 0) as in" in capsys.readouterr().err

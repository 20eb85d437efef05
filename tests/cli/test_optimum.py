"""The command ``optimum``, and the optimum as one of the controllers of ``evaluate``, on a small site."""

import csv
import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site, Years, replace

KEYS = {"seconds", "variables", "objective", "replay_objective", "replay_relative_error", "simultaneous_kwh"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, small_site: Site) -> Path:
    path = tmp_path_factory.mktemp("optimum") / "site.yaml"
    values = json.loads(json.dumps(dataclasses.asdict(replace(small_site, years=Years(1, 1, 1)))))
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture
def short_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two random days instead of a built year."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 48), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)


@pytest.mark.usefixtures("short_years")
def test_table_json_schedule_and_flexibility(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schedule = tmp_path / "schedule.csv"
    assert main(["optimum", "--config", str(config), "--json", "-", "--schedule", str(schedule), "--flexibility"]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures.keys() >= KEYS | {"memory_gb", "years", "flexibility"}
    assert figures["years"][0].keys() >= KEYS
    assert figures["split"] == "test"
    assert figures["replay_relative_error"] < 1e-6
    assert 0.01 < figures["memory_gb"] < 100.0
    assert [case["case"] for case in figures["flexibility"]][:4] == ["none", "sockets", "battery", "both"]
    assert captured.err.startswith("optimum of small")
    assert "vehicles at once, no battery" in captured.err
    with schedule.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    assert sum(float(row["objective"]) for row in rows) == pytest.approx(figures["objective"], rel=1e-4)


@pytest.mark.usefixtures("short_years")
def test_evaluate_takes_the_optimum(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--config", str(config), "--controllers", "uncontrolled,optimum", "--json", "-"]) == 0
    uncontrolled, optimum = json.loads(capsys.readouterr().out)["controllers"]
    assert optimum["objective"] < uncontrolled["objective"]
    assert optimum["share_objective"] == 1.0
    assert uncontrolled["share_objective"] < 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "none.yaml"], "none.yaml"),
        (["--split", "tomorrow"], "choose from 'train', 'validation', 'test'"),
        (["--json", "nowhere/figures.json"], "there is no folder nowhere"),
        (["--schedule", "nowhere/schedule.csv"], "--schedule nowhere"),
        (["--years", "3"], "--years"),
    ],
)
def test_wrong_input_is_one_line(
    config: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["optimum", "--config", str(config), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""

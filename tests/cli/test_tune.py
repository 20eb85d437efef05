"""``tune`` from end to end, on random fortnights, and how it refuses."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from litgrid.cli import main
from litgrid.evaluation.tuning import Judge
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site, read_site

SMALL = Path(__file__).resolve().parents[2] / "configs" / "sites" / "small.yaml"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Split]:
    """Random fortnights in place of built years, judged by their margins; the splits that were loaded."""
    splits: list[Split] = []

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        splits.append(split)
        return dataclasses.replace(random_scenarios(site, 1, 14 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr(Judge, "__call__", lambda _, candidates: (candidates[0] - 0.321) ** 2)
    return splits


def test_numbers_are_found_on_train_years_and_taken_by_evaluate(
    loaded: list[Split], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, figures = tmp_path / "rules.yaml", tmp_path / "tune.json"
    options = ["--years", "1", "--evaluations", "480", "--out", str(rules), "--json", str(figures)]
    assert main(["tune", "water_filling", "--config", str(SMALL), *options]) == 0
    assert loaded == ["train", "validation"]
    written = json.loads(figures.read_text(encoding="utf-8"))
    objective = {(row["split"], row["rule"]): row["objective"] for row in written["results"]}
    assert len({value for (split, _), value in objective.items() if split == "validation"}) == 3
    found = yaml.safe_load(rules.read_text(encoding="utf-8"))
    assert found == written["rules"]
    assert found["water_filling"]["load_margin"] == 0.321
    site = read_site(SMALL, [f"--site.rules={rules}"])
    assert dataclasses.asdict(site.rules) == found
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed[printed.index("rules:") :])["rules"] == found
    arguments = ["--config", str(SMALL), "--split", "validation", "--rules", str(rules), "--controllers"]
    assert main(["evaluate", *arguments, "water_filling", "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["controllers"]
    assert row["objective"] == objective["validation", "after"]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["greedy"], "choose from 'water_filling'"),
        (["water_filling", "--evaluations", "0"], "evaluations"),
        (["water_filling", "--years", "9"], "--years: found 9, expected at most the 1 train years"),
        (["water_filling", "--out", "nowhere/rules.yaml"], "--out nowhere/rules.yaml: there is no folder nowhere"),
        (["water_filling", "--json", "nowhere/tune.json"], "there is no folder nowhere"),
        (["water_filling", "--rules", "none.yaml"], "--rules none.yaml: found no file, expected one that"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", *arguments, "--config", str(SMALL)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_rules_need_their_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("water_filling: {pv_margin: 3}\n", encoding="utf-8")
    assert main(["evaluate", "--rules", str(rules)]) == 2
    assert "found --rules without --config" in capsys.readouterr().err
    assert main(["evaluate", "--config", str(SMALL), "--rules", str(rules)]) == 2
    assert "rules.water_filling.pv_margin: found 3.0, expected 0 to 1" in capsys.readouterr().err

"""A search with real trainings: no test year is read, and ``fit`` takes what it found."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest
import yaml

from litgrid.algorithms.metrics import read_metrics
from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

pytest.importorskip("optuna", reason="needs the extra search")

EXPERIMENTS = Path(__file__).resolve().parents[2] / "configs" / "experiments"
CHILD = """
import dataclasses, sys
import litgrid.scenarios.store as store
from litgrid.cli.experiments.child import main
from litgrid.scenarios.random import random_scenarios

def load(site, split, folder):
    with open("splits.txt", "a") as file:
        file.write(split + "\\n")
    return dataclasses.replace(random_scenarios(site, 1, 7 * 24, len(split)), split=split)

store.load = load
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def random_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random days in place of years, here and in the runs, with a list of the splits that are read; no W&B."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        with (tmp_path / "splits.txt").open("a", encoding="utf-8") as file:
            file.write(f"{split}\n")
        return dataclasses.replace(random_scenarios(site, 1, 7 * 24, len(split)), split=split)

    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.cli.experiments.jobs.CHILD", (str(tmp_path / "child.py"),))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)


def short(folder: Path) -> Path:
    """The search for a try, with two trials of one seed, and paths that mean the same in another folder."""
    values = yaml.safe_load((EXPERIMENTS / "search_smoke.yaml").read_text(encoding="utf-8"))
    values["sites"] = [str((EXPERIMENTS / path).resolve()) for path in values["sites"]]
    recipe = values["algorithms"]["ppo"]
    recipe["configs"] = [str((EXPERIMENTS / path).resolve()) for path in recipe["configs"]]
    values["search"]["trials"] = 2
    path = folder / "search.yaml"
    path.write_text(yaml.safe_dump(values | {"seeds": 1}), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_search_sees_no_test_year_and_fit_takes_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "--config", str(short(tmp_path))]) == 0, capsys.readouterr().err
    splits = (tmp_path / "splits.txt").read_text(encoding="utf-8").split()
    assert set(splits) == {"train", "validation"}
    folder = tmp_path / "runs" / "search-smoke"
    with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: float(row["objective"]))
    assert [row["state"] for row in rows] == ["done", "done"]
    assert rows[0]["objective"] != rows[1]["objective"]
    kept = yaml.safe_load((folder / "best.yaml").read_text(encoding="utf-8"))
    learning_rates = kept["model"]["init_args"]["learning_rates"]
    assert learning_rates["actor"] == float(best["model.learning_rates.actor"])
    assert main(["fit", "--config", str(folder / "best.yaml"), "--experiment", "again"]) == 0
    first = folder / "small" / f"trial-{best['trial']}" / "seed-0" / "metrics.csv"
    again = tmp_path / "runs" / "again" / "ppo" / "seed-0" / "metrics.csv"
    objectives = [[row["val/objective"] for row in read_metrics(path)] for path in (first, again)]
    assert objectives[0] == objectives[1], "it is the run that was found"

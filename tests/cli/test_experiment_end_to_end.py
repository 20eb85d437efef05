"""``experiment`` with real trainings: three algorithms x two seeds, stopped in the middle, gone on with, compared."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from litgrid.algorithms import saved
from litgrid.algorithms.metrics import read_metrics
from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

EXPERIMENTS = Path(__file__).resolve().parents[2] / "configs" / "experiments"
ALGORITHMS = ("sac", "ppo", "advantage")
FRAMES = ["0", "64", "128", "128", "192", "256", "256"]
CHILD = """
import dataclasses, sys
import litgrid.scenarios.store as store
from litgrid.cli.experiments.child import main
from litgrid.scenarios.random import random_scenarios

def load(site, split, folder):
    return dataclasses.replace(random_scenarios(site, 1, 7 * 24, len(split)), split=split)

store.load = load
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def random_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random days in place of years, here and in the parts; no W&B."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 7 * 24, len(split)), split=split)

    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.cli.experiments.jobs.CHILD", (str(tmp_path / "child.py"),))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)


def short(folder: Path) -> Path:
    """The experiment for CI, whose paths mean the same in another folder; an algorithm has another name there."""
    values = yaml.safe_load((EXPERIMENTS / "smoke.yaml").read_text(encoding="utf-8"))
    values["sites"] = [str((EXPERIMENTS / path).resolve()) for path in values["sites"]]
    values["algorithms"]["advantage"] = values["algorithms"].pop("a2c")
    for recipe in values["algorithms"].values():
        recipe["configs"] = [str((EXPERIMENTS / path).resolve()) for path in recipe["configs"]]
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def stop_when_two_have_begun(folder: Path) -> None:
    """Send this process a SIGTERM when two parts have a checkpoint."""
    end = time.monotonic() + 400
    while len(list(folder.glob("*/*/seed-*/checkpoints/last.ckpt"))) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_three_algorithms_and_two_seeds_are_stopped_go_on_and_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "smoke"
    call = ["experiment", "--config", str(short(tmp_path)), "--json", str(tmp_path / "figures.json")]
    thread = threading.Thread(target=stop_when_two_have_begun, args=(folder,))
    thread.start()
    assert main(call) == 128 + signal.SIGTERM
    thread.join()
    capsys.readouterr()
    assert main(call) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    assert said.err.count("goes on (log:") >= 1
    assert "advantage" in said.out
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [(row["algorithm"], row["seed"], row["state"]) for row in figures["parts"]] == [
        (algorithm, seed, "done") for seed in (0, 1) for algorithm in ALGORITHMS
    ]
    for row in figures["parts"]:
        run = Path(row["folder"])
        assert [line["frames"] for line in read_metrics(run / "metrics.csv")] == FRAMES
        assert saved.frames_of(saved.read(run / "checkpoints" / "last.ckpt")) == 256
        name = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["controllers"][2]["controller"]
        assert name == row["algorithm"]
    (comparison,) = figures["comparisons"]
    rows = comparison["figures"]["controllers"]
    found = {(row["controller"], row["seed"]) for row in rows}
    assert found >= {(algorithm, seed) for algorithm in ALGORITHMS for seed in (0, 1)}
    assert (folder / "comparison" / "small" / "comparison.csv").is_file()
    assert figures["results"]["sites"][0]["found"]["split"] == "validation"
    assert "No agent beats" in (folder / "results.md").read_text(encoding="utf-8"), "budgets teach little"
    assert main([*call[:3], "--dry-run"]) == 0
    assert capsys.readouterr().err.count("is done") == 6

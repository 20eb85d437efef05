"""The three configurations on the Iquitos site, in every precision, through the real command line."""

import dataclasses
import json
from pathlib import Path

import pytest

from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SHORT = {
    "sac": ["--model.replay.warmup_frames", "256", "--model.budget.frames_per_epoch", "512"],
    "ppo": ["--model.collection.frames_per_batch", "512", "--model.collection.envs", "32"],
    "a2c": ["--model.collection.frames_per_batch", "512", "--model.collection.envs", "32"],
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few random days in place of years, and no W&B."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 35 * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You passed .*16-mixed")  # without a GPU Lightning takes bfloat16
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("algorithm", SHORT)
def test_it_trains_and_is_evaluated(algorithm: str, precision: str, tmp_path: Path) -> None:
    budget = ["--model.budget.total_frames", "1024", "--model.budget.frames_per_epoch", "512"]
    options = [*SHORT[algorithm], *budget, "--trainer.precision", precision, "--runs", str(tmp_path)]
    assert main(["fit", "--config", str(CONFIGS / f"{algorithm}.yaml"), *options]) == 0
    run = tmp_path / "iquitos" / algorithm / "seed-0"
    (agent,) = [
        row
        for row in json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["controllers"]
        if row["controller"] == algorithm
    ]
    assert agent["ev_service"] == pytest.approx(1.0, abs=1e-6)
    assert agent["objective"] > 0

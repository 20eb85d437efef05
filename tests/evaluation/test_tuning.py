"""Tuning: candidates side by side are what they are alone, the best is found, and equal seeds find the same."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from litgrid.algorithms.validation import validate
from litgrid.controllers.water_filling import WaterFilling
from litgrid.evaluation import tuning
from litgrid.evaluation.tuning import Judge, Range, tune, with_settings
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, replace

Draw = Callable[..., ScenarioSet]


def test_a_candidate_is_judged_as_alone(small_site: Site, random_scenarios: Draw) -> None:
    """Float32 beside float64."""
    scenarios = random_scenarios(small_site, scenarios=1)
    margins = np.array([[0.0, 0.3], [0.9, 0.5]])
    judged = Judge(scenarios, ("load_margin", "precharge_share"))(margins)
    settings = replace(small_site.rules.water_filling, load_margin=0.3, precharge_share=0.5)
    rule = WaterFilling(with_settings(small_site, settings))
    alone = validate(Simulator(scenarios, dtype=torch.float64), rule).objective
    assert judged[1] == pytest.approx(alone, rel=1e-4)
    assert judged[0] != pytest.approx(judged[1], rel=1e-3)


@pytest.fixture
def known_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two numbers, whose best values are 0.2 and 0.7."""

    def judge(_: Judge, columns: tuning.Array) -> tuning.Array:
        squares: tuning.Array = (columns[0] - 0.2) ** 2 + (columns[1] - 0.7) ** 2
        return squares

    monkeypatch.setattr(Judge, "__call__", judge)
    monkeypatch.setattr(tuning, "ranges", lambda _: {"load_margin": Range(-0.5, 0.5), "peak_share": Range(0.0, 1.0)})


@pytest.mark.usefixtures("known_best")
def test_the_known_best_is_found_and_equal_seeds_find_the_same(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=1)
    told: list[int] = []
    found = tune(scenarios, 700, 1, lambda tried, _: told.append(tried))
    assert (found.settings.load_margin, found.settings.peak_share) == pytest.approx((0.2, 0.7), abs=2e-3)
    assert found.settings.pv_margin == small_site.rules.water_filling.pv_margin
    assert found.evaluations == told[-1] == 720
    assert tune(scenarios, 700, 1, lambda *_: None) == found
    short = [tune(scenarios, 24, seed, lambda *_: None).settings for seed in (1, 1, 2)]
    assert short[0] == short[1] != short[2]


def test_other_years_than_train_years_are_refused(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = dataclasses.replace(random_scenarios(small_site, scenarios=1, days=1), split="test")
    with pytest.raises(ValueError, match="expected train years"):
        tune(scenarios, 24, 0, lambda *_: None)

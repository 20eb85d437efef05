"""Interquartile means, bootstrap intervals and probabilities of improvement, by hand and beside scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from litgrid.evaluation.statistics import (
    Estimate,
    Floats,
    Sample,
    estimate,
    improvement,
    interquartile_mean,
    probability_of_improvement,
    standings,
)


def agent(*costs: list[float], name: str = "sac") -> Sample:
    """An agent; a list for each seed."""
    return Sample(name, np.array(costs), learned=True)


def rule(*costs: float, name: str = "rule") -> Sample:
    """A rule; a cost for each year."""
    return Sample(name, np.array([costs]), learned=False)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ([[5.0]], 5.0),
        ([[1.0, 2.0, 6.0]], 3.0),  # a quarter of three is none
        ([[0.0, 2.0], [4.0, 100.0]], 3.0),  # one of four at either end
        ([[1.0, 2.0], [3.0, 4.0], [-50.0, 70.0]], 2.5),  # one of six
        ([[8.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]], 4.5),  # two of eight
    ],
)
def test_interquartile_mean_by_hand(costs: list[list[float]], expected: float) -> None:
    assert float(interquartile_mean(np.array(costs))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ([[1.0, 1.0]], [[2.0, 2.0]], 1.0),
        ([[3.0, 1.0]], [[2.0, 2.0]], 0.5),
        ([[2.0, 1.0]], [[2.0, 2.0]], 0.75),  # a tie counts half
        ([[1.0], [3.0]], [[2.0], [2.0], [4.0]], 4 / 6),  # 1 beats all, 3 beats one of three
        ([[1.0, 9.0], [1.0, 2.0]], [[2.0, 5.0]], 0.75),  # years are never mixed: 9 loses to 5, not to 2
    ],
)
def test_probability_of_improvement_by_hand(one: list[list[float]], two: list[list[float]], expected: float) -> None:
    assert float(probability_of_improvement(np.array(one), np.array(two))) == pytest.approx(expected, rel=1e-12)


Costs = st.lists(st.integers(0, 5).map(float), min_size=6, max_size=6)


@given(Costs, Costs)
def test_probabilities_of_improvement_add_up_to_one(one: list[float], two: list[float]) -> None:
    first, second = np.reshape(one, (3, 2)), np.reshape(two, (3, 2))
    both = probability_of_improvement(first, second) + probability_of_improvement(second, first)
    assert float(both) == pytest.approx(1.0, rel=1e-12)
    per_year = [stats.mannwhitneyu(second[:, year], first[:, year]).statistic / 9 for year in range(2)]
    assert float(probability_of_improvement(first, second)) == pytest.approx(np.mean(per_year), rel=1e-12)


def test_the_interval_of_two_seeds_by_hand() -> None:
    """Resamples of 0 and 1 have the means 0, 1/2 and 1, with probabilities 1/4, 1/2 and 1/4."""
    assert estimate(interquartile_mean, agent([0.0], [1.0])) == Estimate(0.5, 0.0, 1.0)


def test_the_interval_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    costs = rng.normal(100.0, 10.0, (6, 3))

    def statistic(*years: Floats, axis: int = -1) -> Floats:
        return np.asarray(stats.trim_mean(np.concatenate(years, axis=axis), 0.25, axis=axis))

    # paired: every resample takes the same seeds in all years
    result = stats.bootstrap(
        list(costs.T), statistic, paired=True, vectorized=True, method="percentile", n_resamples=20_000, random_state=2
    )
    found = estimate(interquartile_mean, Sample("sac", costs, learned=True))
    assert found.low == pytest.approx(result.confidence_interval.low, abs=0.3)
    assert found.high == pytest.approx(result.confidence_interval.high, abs=0.3)


def test_a_seed_that_is_lucky_in_all_years_counts_once() -> None:
    # a quarter of the resamples has one of the seeds twice; drawn for each year anew, 1 in 300 would come so far
    assert estimate(interquartile_mean, agent([0.0] * 16, [1.0] * 16)) == Estimate(0.5, 0.0, 1.0)


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(60):
        found = estimate(interquartile_mean, Sample("sac", rng.normal(0.0, 1.0, (20, 2)), learned=True))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert 50 <= hits <= 60


@pytest.mark.parametrize(
    "samples",
    [
        [rule(1.0, 2.0)],
        [agent([1.0, 2.0])],
        [agent([1.0, 2.0]), agent([1.0, 2.0], [3.0, 4.0], name="ppo")],
        [agent([1.0, 2.0], [3.0, 4.0]), agent([1.0, 2.0], name="ppo")],
    ],
)
def test_there_is_no_interval_where_an_agent_has_one_seed(samples: list[Sample]) -> None:
    statistic = interquartile_mean if len(samples) == 1 else probability_of_improvement
    found = estimate(statistic, *samples)
    assert found.low is None
    assert found.high is None


def test_a_rule_has_no_noise_of_its_own() -> None:
    found = improvement(agent([1.0, 1.0], [2.0, 2.0], [1.5, 1.5]), rule(3.0, 3.0))
    assert found.over == "rule"
    assert found.probability == Estimate(1.0, 1.0, 1.0)
    assert found.difference == Estimate(-1.5, -2.0, -1.0)


def test_agents_are_drawn_independently_of_each_other() -> None:
    one, two = agent([0.0], [1.0]), agent([0.0], [1.0], name="ppo")
    found = improvement(one, two)
    assert found.difference == Estimate(0.0, -1.0, 1.0)  # drawn alike, it would be 0 always
    assert found.probability == Estimate(0.5, 0.0, 1.0)


def test_standings_compare_agents_with_all_others_and_are_the_same_each_time() -> None:
    samples = [rule(4.0, 5.0), agent([1.0, 2.0], [3.0, 4.0]), agent([2.0, 2.0], [3.0, 3.0], name="ppo")]
    found = standings(samples)
    assert [(standing.controller, standing.seeds) for standing in found] == [("rule", 0), ("sac", 2), ("ppo", 2)]
    assert [[one.over for one in standing.improvements] for standing in found] == [[], ["rule", "ppo"], ["rule", "sac"]]
    assert found == standings(samples)

"""What the seeds of an agent allow to say: interquartile means, bootstrap intervals, probability of improvement.

After Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv:2108.13264).

Strata are the years: every resample has each of them as often as the scores have. Within a resample all years take the
same seeds, because a seed is one agent that was measured on all of them; drawing seeds for each year anew, as the paper
does where every task has agents of its own, would take one lucky agent for as many as there are years.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean

Floats = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 0
ENDS = (0.025, 0.975)
"""Quantiles of the resamples that bound a 95 % interval."""
TRIMMED = 0.25
"""Share of the scores that the interquartile mean leaves out at either end."""


@dataclass(frozen=True)
class Sample:
    """What a controller cost.

    Attributes:
        controller: its name.
        costs: [seeds, years], lower is better; a rule has one row.
        learned: it is an agent, of which other seeds would have cost otherwise.
    """

    controller: str
    costs: Floats
    learned: bool


@dataclass(frozen=True)
class Estimate:
    """A figure, and its 95 % interval; none where nothing is known of the noise.

    Attributes:
        value: of all seeds and years.
        low: lower end of the interval; None for rules, and where an agent has a single seed.
        high: upper end; None with ``low``.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Improvement:
    """How an agent stands to another controller.

    Attributes:
        over: name of the other.
        probability: that a seed of the agent costs less than one of the other, on the same year; ties count half.
        difference: of the interquartile means: the agent's less the other's, negative where the agent is better.
    """

    over: str
    probability: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Standing:
    """What can be said of a controller beside the others.

    Attributes:
        controller: its name.
        seeds: agents that were trained, 0 of a rule.
        objective: interquartile mean of the corrected objective over seeds and years.
        improvements: of an agent over each other controller; empty for rules.
    """

    controller: str
    seeds: int
    objective: Estimate
    improvements: list[Improvement]


def standings(samples: Sequence[Sample]) -> list[Standing]:
    """Say of each controller what its costs say; order as given."""
    return [
        Standing(
            controller=sample.controller,
            seeds=len(sample.costs) if sample.learned else 0,
            objective=estimate(interquartile_mean, sample),
            improvements=[improvement(sample, other) for other in samples if sample.learned and other is not sample],
        )
        for sample in samples
    ]


def improvement(sample: Sample, other: Sample) -> Improvement:
    """Compare an agent with another controller."""
    return Improvement(
        over=other.controller,
        probability=estimate(probability_of_improvement, sample, other),
        difference=estimate(lambda one, two: interquartile_mean(one) - interquartile_mean(two), sample, other),
    )


def estimate(statistic: Callable[..., Any], *samples: Sample) -> Estimate:
    """Compute a statistic and its percentile interval over bootstrap resamples of the seeds of each agent.

    Args:
        statistic: of the costs of each sample, [..., seeds, years] -> [...].
        samples: independent of each other.
    """
    value = float(statistic(*(sample.costs for sample in samples)))
    seeds = [len(sample.costs) for sample in samples if sample.learned]
    if min(seeds, default=1) < 2:
        return Estimate(value, None, None)
    rng = np.random.default_rng(SEED)
    sizes = [len(sample.costs) for sample in samples]
    drawn = [s.costs[rng.integers(size, size=(RESAMPLES, size))] for s, size in zip(samples, sizes, strict=True)]
    low, high = np.quantile(statistic(*drawn), ENDS)
    return Estimate(value, float(low), float(high))


def interquartile_mean(costs: Floats) -> Floats:
    """The mean of the middle half of all seeds and years: [..., seeds, years] -> [...]."""
    pooled = costs.reshape(*costs.shape[:-2], -1)
    return np.asarray(trim_mean(pooled, TRIMMED, axis=-1), dtype=np.float64)


def probability_of_improvement(costs: Floats, other: Floats) -> Floats:
    """The mean over years of P(cost < other's) + P(cost = other's) / 2, over all pairs of seeds.

    Args:
        costs: [..., seeds, years].
        other: [..., seeds of the other, years].
    """
    one, two = costs[..., :, np.newaxis, :], other[..., np.newaxis, :, :]
    won: Floats = ((one < two) + 0.5 * (one == two)).mean(axis=(-3, -2, -1))
    return won

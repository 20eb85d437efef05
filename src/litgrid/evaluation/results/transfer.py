"""Agents on a site that they were not trained on, beside those that were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from litgrid.algorithms.policy import AgentController
from litgrid.evaluation.report import row
from litgrid.evaluation.results.site import Gain, difference, gain, sample
from litgrid.evaluation.rollout import rollouts
from litgrid.evaluation.statistics import Estimate
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator

Row = dict[str, Any]
KEYS = ("objective_served", "objective")


@dataclass(frozen=True)
class Moved:
    """A share of what is possible on a site, for agents from elsewhere and for those of the site.

    Attributes:
        algorithm: of both.
        trained_on: site of the agents from elsewhere.
        site: on which all are measured.
        share: of ``site.GAINS``.
        moved: of the agents from elsewhere.
        own: of the site's.
        lost: own less moved.
        service: the lowest of any seed from elsewhere.
    """

    algorithm: str
    trained_on: str
    site: str
    share: str
    moved: Gain
    own: Gain
    lost: Estimate
    service: float


def measure(scenarios: ScenarioSet, agents: Sequence[AgentController]) -> list[Row]:
    """Account for agents on the years of a site: a row each, as of ``evaluate``."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    return [row(run) for run in rollouts(simulator, agents)]


def moved(
    rows: Sequence[Row], there: Mapping[str, Sequence[Row]], algorithm: str, trained_on: str, site: str
) -> list[Moved]:
    """Set agents from elsewhere beside a site's own.

    Args:
        rows: of the agents from elsewhere.
        there: rows of the site's comparison, by name.
        algorithm: of both.
        trained_on: where the others are from.
        site: on which all are measured.

    Returns:
        For each of ``KEYS``; none where a reference is missing or nothing can be gained.
    """
    found = []
    for key in KEYS:
        one = sample(rows, there, key, learned=True)
        own = sample(there[algorithm], there, key, learned=True)
        if one is not None and own is not None:
            service = min(row["ev_service"] for row in rows)
            found.append(Moved(algorithm, trained_on, site, key, gain(one), gain(own), difference(own, one), service))
    return found

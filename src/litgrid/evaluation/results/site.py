"""What an experiment found on a site, from its comparison: gains, seeds, savings, and whether a rule is enough.

Figures are as metered (docs/accounting.md); where the battery ends a year lower than it began counts in ``objective``
alone, as in ``compare``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from litgrid.evaluation.advice import is_more_than_noise
from litgrid.evaluation.comparison import Curve, Kind
from litgrid.evaluation.shares import Share, captured
from litgrid.evaluation.statistics import Estimate, Improvement, Sample, estimate, interquartile_mean

Row = dict[str, Any]

GAINS = {
    "bill": Share("bill", "self_consumption", "optimum"),
    "bill_served": Share("bill", "self_consumption", "optimum_served"),
    "objective": Share("objective", "uncontrolled", "optimum"),
    "objective_served": Share("objective", "uncontrolled", "optimum_served"),
    "co2_served": Share("co2_kg", "uncontrolled", "optimum_served"),
}
"""Shares of what is possible; those at full service have no vehicle go without."""
RULES = ("water_filling", "water_filling_waiting", "mpc")
"""Controllers that see what an agent sees, and that nothing trains."""
BEFORE = ("uncontrolled", "self_consumption", "water_filling", "water_filling_waiting")
"""What an agent's savings are counted from."""
MEANS = ("bill", "demand_bill", "objective", "co2_kg", "peak_kw", "ev_service", "ev_unserved_kwh")


@dataclass(frozen=True)
class Gain:
    """A share of what is possible.

    Attributes:
        share: interquartile mean over seeds and years, with its interval.
        worst: the lowest of any seed in any year.
        seeds: each seed's mean over the years.
    """

    share: Estimate
    worst: float
    seeds: list[float]


@dataclass(frozen=True)
class Result:
    """A controller, or the agents of an algorithm.

    Attributes:
        name: of the controller or the algorithm.
        kind: rule, agent or bound.
        seeds: of the agents; empty for rules.
        served: every seed's service is at least 99 %.
        objective: corrected, as in ``compare``.
        means: over seeds and years, of ``MEANS``.
        gains: of ``GAINS``; None where a reference is missing, or where nothing can be gained.
        minutes: of each seed's training, validations included; None where a run does not know.
    """

    name: str
    kind: Kind
    seeds: list[int]
    served: bool
    objective: Estimate
    means: dict[str, float]
    gains: dict[str, Gain | None]
    minutes: list[float | None]


@dataclass(frozen=True)
class Verdict:
    """An agent beside a rule that sees the same.

    Attributes:
        agent: its name.
        rule: its name.
        saved: what the agent saves of the rule's corrected objective in a year.
        points: by how much its share of the bill's gain at full service is larger; None where there is no such share.
        clear: the difference is more than noise; None where the seeds are too few to tell.
    """

    agent: str
    rule: str
    saved: Estimate
    points: Estimate | None
    clear: bool | None

    @property
    def beats(self) -> bool:
        """The agent saves something, and that is more than noise."""
        return self.saved.value > 0.0 and self.clear is True


@dataclass(frozen=True)
class Saving:
    """What the best agent saves in a year.

    Attributes:
        agent: its name.
        before: what controlled the site before.
        bill: in the site's currency.
        objective: in the site's currency.
        co2_kg: of it.
    """

    agent: str
    before: str
    bill: float
    objective: float
    co2_kg: float


@dataclass(frozen=True)
class SiteResults:
    """All of a site.

    Attributes:
        site: its name.
        split: whose years.
        years: how many.
        currency: of its tariff.
        results: in ranking order.
        verdicts: of every agent beside every rule of ``RULES``.
        savings: of the best agent at full service; empty where there is none.
    """

    site: str
    split: str
    years: int
    currency: str
    results: list[Result]
    verdicts: list[Verdict]
    savings: list[Saving]


def site_results(figures: Row, curves: Mapping[str, Sequence[Curve]]) -> SiteResults:
    """Sum a comparison up.

    Args:
        figures: of ``compare --json``.
        curves: agent -> its runs' validations.
    """
    rows: dict[str, list[Row]] = {}
    for row in figures["controllers"]:
        rows.setdefault(row["controller"], []).append(row)
    standings = {one["controller"]: one for one in figures["statistics"]}
    results = [_result(one, rows, curves.get(name, ())) for name, one in standings.items()]
    return SiteResults(
        site=figures["site"],
        split=figures["split"],
        years=len(figures["controllers"][0]["years"]),
        currency=figures["currency"],
        results=results,
        verdicts=[_verdict(one, rule, rows) for one in standings.values() for rule in RULES if _meets(one, rule)],
        savings=_savings(results),
    )


def _result(standing: Row, rows: Mapping[str, list[Row]], curves: Sequence[Curve]) -> Result:
    name, own = standing["controller"], rows[standing["controller"]]
    ends = {curve.seed: float(curve.minutes[-1]) for curve in curves if len(curve.minutes)}
    minutes = [ends.get(row["seed"]) for row in own if row["seed"] is not None]
    return Result(
        name=name,
        kind=standing["kind"],
        seeds=[row["seed"] for row in own if row["seed"] is not None],
        served=standing["served"],
        objective=Estimate(**standing["objective"]),
        means={key: sum(row[key] for row in own) / len(own) for key in MEANS},
        gains=gains(own, rows, learned=standing["kind"] == "agent"),
        minutes=[None if end is None or np.isnan(end) else end for end in minutes],
    )


def gains(own: Sequence[Row], rows: Mapping[str, Sequence[Row]], *, learned: bool) -> dict[str, Gain | None]:
    """Compute a controller's ``GAINS``.

    Args:
        own: a row for each seed.
        rows: of the references and bounds among them, by name.
        learned: other seeds would have come out otherwise.
    """
    samples = {key: sample(own, rows, key, learned=learned) for key in GAINS}
    return {key: None if found is None else gain(found) for key, found in samples.items()}


def gain(found: Sample) -> Gain:
    """Sum shares up, of which a higher one is better."""
    share = estimate(interquartile_mean, found)
    return Gain(share, float(found.costs.min()), [float(mean) for mean in found.costs.mean(axis=1)])


def sample(own: Sequence[Row], rows: Mapping[str, Sequence[Row]], key: str, *, learned: bool) -> Sample | None:
    """The shares of each seed and year, [seeds, years]; None where one of them is none. Arguments as of ``gains``."""
    share = GAINS[key]
    if share.reference not in rows or share.bound not in rows:
        return None
    ends = {name: rows[name][0]["years"] for name in (share.reference, share.bound)}
    years = [{name: found[year] for name, found in ends.items()} for year in range(len(own[0]["years"]))]
    found = [[captured(*pair, share) for pair in zip(row["years"], years, strict=True)] for row in own]
    if any(value is None for values in found for value in values):
        return None
    return Sample(own[0]["controller"], np.array(found, dtype=np.float64), learned)


def _meets(standing: Row, rule: str) -> bool:
    return standing["kind"] == "agent" and any(one["over"] == rule for one in standing["improvements"])


def _verdict(standing: Row, rule: str, rows: Mapping[str, list[Row]]) -> Verdict:
    (found,) = (one for one in standing["improvements"] if one["over"] == rule)
    chance, more = Estimate(**found["probability"]), Estimate(**found["difference"])
    clear = is_more_than_noise(Improvement(rule, chance, more), standing["seeds"])
    low, high = more.low, more.high
    saved = Estimate(-more.value, None if high is None else -high, None if low is None else -low)
    name = standing["controller"]
    return Verdict(name, rule, saved, _points(rows[name], rows[rule], rows), clear)


def _points(agent: Sequence[Row], rule: Sequence[Row], rows: Mapping[str, list[Row]]) -> Estimate | None:
    own = sample(agent, rows, "bill_served", learned=True)
    other = sample(rule, rows, "bill_served", learned=False)
    return None if own is None or other is None else difference(own, other)


def difference(one: Sample, two: Sample) -> Estimate:
    """The difference of two interquartile means."""
    return estimate(lambda first, second: interquartile_mean(first) - interquartile_mean(second), one, two)


def _savings(results: Sequence[Result]) -> list[Saving]:
    named = {result.name: result.means for result in results}
    best = next((result for result in results if result.kind == "agent" and result.served), None)
    if best is None:
        return []
    return [
        Saving(best.name, before, *(named[before][key] - best.means[key] for key in ("bill", "objective", "co2_kg")))
        for before in BEFORE
        if before in named
    ]

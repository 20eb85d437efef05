"""A site on the page of results: controllers, seeds of the agents, what they save, what flexibility is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litgrid.evaluation.flexibility import named
from litgrid.evaluation.information import Knowledge
from litgrid.evaluation.report import count
from litgrid.evaluation.results.site import Result, Saving, SiteResults, Verdict
from litgrid.evaluation.results.words import DASH, Lines, estimate, gain, percent, points
from litgrid.evaluation.tables import markdown
from litgrid.scenarios.leaks import Leak


@dataclass(frozen=True)
class SitePage:
    """What the page says of a site.

    Attributes:
        found: in the comparison.
        picture: name of the file of the learning curves, relative to the page.
        missing: names of trainings that are not done.
        leaks: of its splits.
        knowledge: controller or agent -> what it decides upon.
        flexibility: cases, as of ``optimum --flexibility``; None where they were not asked for.
    """

    found: SiteResults
    picture: str
    missing: list[str]
    leaks: list[Leak]
    knowledge: dict[str, Knowledge]
    flexibility: list[dict[str, Any]] | None


def site_parts(site: SitePage) -> list[str]:
    """All that the page says of a site."""
    found = site.found
    agents = [result for result in found.results if result.kind == "agent"]
    parts = [f"## {found.site}", f"Means of {count(found.years, f'{found.split} year')}, {found.currency}."]
    if site.missing:
        parts.append(f"Not trained yet: {', '.join(site.missing)}.")
    parts.append(markdown(ranking(found.results)))
    if agents:
        parts += [markdown(_seeds(agents)), f"![Validation objective against minutes of training]({site.picture})"]
        parts += ["### When a rule is enough", sentence(found), markdown(_verdicts(found.verdicts))]
    if found.savings:
        parts += [f"### What {found.savings[0].agent} saves a year", markdown(_savings(found.savings, found.currency))]
    if site.flexibility is not None:
        parts += ["### What flexibility is worth, by the optimum", markdown(_flexibility(site.flexibility))]
    return parts


def ranking(results: Sequence[Result]) -> Lines:
    """Every controller of a site, in ranking order."""
    head = ["controller", "seeds", "objective", "bill", "of it demand", "CO2, t", "service, %"]
    head += [
        "bill gain, %",
        "bill gain served, %",
        "worst",
        "objective gain, %",
        "objective gain served, %",
        "CO2 gain served, %",
        "minutes",
    ]
    return [head, *map(_ranked, results)]


def _ranked(result: Result) -> list[str]:
    means, gains = result.means, result.gains
    served = gains["bill_served"]
    minutes = [end for end in result.minutes if end is not None]
    return [
        result.name,
        str(len(result.seeds) or DASH),
        estimate(result.objective),
        f"{means['bill']:,.0f}",
        f"{means['demand_bill']:,.0f}",
        f"{means['co2_kg'] / 1e3:,.1f}",
        f"{100.0 * means['ev_service']:.2f}{'' if result.served else '!'}",
        gain(gains["bill"]),
        gain(served),
        DASH if served is None else percent(served.worst),
        gain(gains["objective"]),
        gain(gains["objective_served"]),
        gain(gains["co2_served"]),
        f"{max(minutes):.1f}" if minutes else DASH,
    ]


def _seeds(agents: Sequence[Result]) -> Lines:
    """Each seed's own share, so that their spread is seen."""
    lines = [["agent", "gain, %", "each seed's own", "spread, points"]]
    for agent in agents:
        for text, key in (("bill, served", "bill_served"), ("objective, served", "objective_served")):
            found = agent.gains[key]
            if found is not None:
                spread = max(found.seeds) - min(found.seeds)
                lines.append([agent.name, text, ", ".join(map(percent, found.seeds)), percent(spread)])
    return lines


def sentence(found: SiteResults) -> str:
    """Say whether a rule does."""
    rules = dict.fromkeys(verdict.rule for verdict in found.verdicts)
    if not rules:
        return "No rule that sees what the agents see was compared."
    winners = {rule: [one.agent for one in found.verdicts if one.rule == rule and one.beats] for rule in rules}
    said = [
        f"{' and '.join(agents)} beat{'' if agents[1:] else 's'} {rule}." for rule, agents in winners.items() if agents
    ]
    enough = [rule for rule, agents in winners.items() if not agents]
    if enough:
        said.append(f"No agent beats {' or '.join(enough)} by more than the noise of training: here that is enough.")
    return " ".join(said)


def _verdicts(verdicts: Sequence[Verdict]) -> Lines:
    head = ["agent", "rule", "saves of its objective, a year", "points of bill gain, served", "the agent"]
    lines = [[one.agent, one.rule, estimate(one.saved), points(one.points), verdict(one)] for one in verdicts]
    return [head, *lines]


def verdict(one: Verdict) -> str:
    """Say it in words."""
    if one.beats:
        return "beats the rule"
    if one.clear is None and one.saved.value > 0.0:
        return "too few seeds to tell"
    return "does not beat the rule"


def _savings(savings: Sequence[Saving], currency: str) -> Lines:
    lines = [["instead of", f"bill, {currency}", f"objective, {currency}", "CO2, kg"]]
    return lines + [[s.before, *(f"{value:z,.0f}" for value in (s.bill, s.objective, s.co2_kg))] for s in savings]


def _flexibility(cases: Sequence[Mapping[str, Any]]) -> Lines:
    def text(value: float | None) -> str:
        return DASH if value is None else f"{value:,.0f}"

    lines = [["best with", "objective", "saved", "bill", "of it demand", "CO2, kg"]]
    keys = ("objective", "saved", "bill", "demand_bill", "co2_kg")
    return lines + [[named(case), *(text(case[key]) for key in keys)] for case in cases]

"""The page of results as Markdown: tables of facts, and plain sentences of what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litgrid.evaluation.flexibility import named
from litgrid.evaluation.information import Knowledge
from litgrid.evaluation.report import count
from litgrid.evaluation.results.site import Gain, Result, Saving, SiteResults, Verdict
from litgrid.evaluation.results.transfer import Moved
from litgrid.evaluation.statistics import Estimate
from litgrid.evaluation.tables import markdown
from litgrid.scenarios.leaks import Leak
from litgrid.sim.tables import FORECASTS

Lines = list[list[str]]
DASH = "-"
DEFINITIONS = """\
A *gain* is a share of what is possible: (reference - controller) / (reference - bound), in each year. The reference of
the bill is self_consumption (vehicles at once, battery greedy), that of objective and CO2 is uncontrolled (vehicles at
once, battery idle). Bounds see the future: optimum leaves vehicles without energy where that pays; *served* is
optimum_served, where no vehicle goes without. Of agents: interquartile mean over seeds and years, and the 95 % interval
of a bootstrap over seeds, stratified by year (of three seeds a lower estimate). *Worst*: the lowest of any seed in any
year. `!`: service below 99 %. Minutes: wall clock of the longest training, validations included. Objective: with the
battery's charge at the year's end accounted for. Formulas: [accounting](accounting.md), [compare](compare.md)."""


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


@dataclass(frozen=True)
class Page:
    """All of the page.

    Attributes:
        command: that makes it.
        machine: on which, in words.
        trained_on: machines, in words -> how many runs were trained there.
        jobs: trainings at a time, and threads of each.
        sites: in their order.
        left_out: name of a site -> which file of its data is missing.
        measured: site of generated years -> the same with years from measured files.
        moved: agents on other sites.
    """

    command: str
    machine: str
    trained_on: Mapping[str, int]
    jobs: tuple[int, int]
    sites: list[SitePage]
    left_out: Mapping[str, str]
    measured: Mapping[str, str]
    moved: list[Moved]


def render(page: Page) -> str:
    """Write the page."""
    parts = ["# Results", f"    {page.command}", _machines(page), DEFINITIONS]
    parts += [f"{site} is left out, as a file of its data is not here." for site in page.left_out]
    for site in page.sites:
        parts += _site(site)
    parts += _measured(page)
    if page.moved:
        parts += ["## One policy on sites of other sizes", markdown(_moved(page.moved))]
    parts += ["## No day is in two splits", *_leaks(page.sites)]
    parts += ["## What decisions are made upon", *_knowledge(page.sites)]
    return "\n\n".join(parts) + "\n"


def _machines(page: Page) -> str:
    """Where the page was made, and the runs were trained."""
    jobs, threads = page.jobs
    where = "; ".join(f"{machine} ({count(runs, 'run')})" for machine, runs in page.trained_on.items())
    pace = f"{jobs} at a time, {count(threads, 'thread')} each"
    return f"Made on: {page.machine}. Trained on: {where}; {pace}."


def _site(site: SitePage) -> list[str]:
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
        _gain(gains["bill"]),
        _gain(served),
        DASH if served is None else _percent(served.worst),
        _gain(gains["objective"]),
        _gain(gains["objective_served"]),
        _gain(gains["co2_served"]),
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
                lines.append([agent.name, text, ", ".join(map(_percent, found.seeds)), _percent(spread)])
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
    lines = [[one.agent, one.rule, estimate(one.saved), _points(one.points), verdict(one)] for one in verdicts]
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


def _measured(page: Page) -> list[str]:
    """The sites' gains on generated years beside those on years from measured files."""
    found = {site.found.site: {one.name: one for one in site.found.results} for site in page.sites}
    lines: Lines = [["site", "controller", "generated, %", "measured, %", "difference, points"]]
    for generated, measured in page.measured.items():
        first, second = found.get(generated, {}), found.get(measured, {})
        for name in [name for name in first if name in second]:
            pair = [results[name].gains["bill_served"] for results in (first, second)]
            shares = [gain.share.value for gain in pair if gain is not None]
            more = f"{100.0 * (shares[1] - shares[0]):+.1f}" if len(shares) == len(pair) else DASH
            lines.append([measured, name, *map(_gain, pair), more])
    if len(lines) == 1:
        return []
    text = "Share of the bill's gain at full service; each is trained, and measured, on its own years."
    return ["## Generated and measured years", text, markdown(lines)]


def _moved(rows: Sequence[Moved]) -> Lines:
    head = ["agent", "trained on", "on", "gain", "moved, %", "trained there, %", "lost, points", "lowest service, %"]
    names = {"objective": "objective", "objective_served": "objective, served"}
    return [head] + [
        [
            *(one.algorithm, one.trained_on, one.site, names[one.share], _gain(one.moved), _gain(one.own)),
            _points(one.lost),
            f"{100.0 * one.service:.2f}",
        ]
        for one in rows
    ]


def _leaks(sites: Sequence[SitePage]) -> list[str]:
    """What the leak test found."""
    lines: Lines = [["site", "quantity", "days of train", "validation", "test", "in two of them"]]
    for site in sites:
        for leak in site.leaks:
            days = [f"{leak.days[split]:,}" for split in ("train", "validation", "test")]
            lines.append([site.found.site, leak.quantity, *days, str(leak.shared)])
    shared = sum(leak.shared for site in sites for leak in site.leaks)
    outcome = "**Passed**: none." if shared == 0 else f"**Failed**: {shared} are in two."
    text = "Different days of each split, compared value by value, those before the first of January included."
    return [f"{text} {outcome}", markdown(lines)]


def _knowledge(sites: Sequence[SitePage]) -> list[str]:
    """What the information-parity test found."""
    head = ["site", "controller", "what is not known", "the present", *(key.removesuffix("_kw") for key in FORECASTS)]
    lines = [
        [site.found.site, name, *map(_mark, (one.future, one.present, *(key in one.forecasts for key in FORECASTS)))]
        for site in sites
        for name, one in site.knowledge.items()
    ]
    seen = [f"{site.found.site}/{name}" for site in sites for name, one in site.knowledge.items() if one.future]
    outcome = (
        "**Passed**: no decision changes with what is not known." if not seen else f"**Failed**: {', '.join(seen)}."
    )
    text = (
        "Decisions of each controller (of each algorithm's first seed) on random days of its site, with one thing "
        "changed: what is not known at the time (later load and PV, forecasts beyond a day, vehicles that have not "
        "come), the present, or a forecast. "
        f"`x`: a decision changed. {outcome} Bounds see the future by definition."
    )
    return [text, markdown([head, *lines])]


def _mark(changed: bool) -> str:
    return "x" if changed else ""


def estimate(found: Estimate) -> str:
    """A figure with its interval."""
    interval = "" if found.low is None else f" ({found.low:z,.0f} to {found.high:z,.0f})"
    return f"{found.value:z,.0f}{interval}"


def _gain(found: Gain | None) -> str:
    return DASH if found is None else _points(found.share)


def _points(found: Estimate | None) -> str:
    """A share in percent, with its interval."""
    if found is None:
        return DASH
    interval = "" if found.low is None or found.high is None else f" ({_percent(found.low)} to {_percent(found.high)})"
    return f"{_percent(found.value)}{interval}"


def _percent(share: float) -> str:
    return f"{100.0 * share:z.1f}"

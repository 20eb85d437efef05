"""The page of results as Markdown: tables of facts, and plain sentences of what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litgrid.evaluation.report import count
from litgrid.evaluation.results.checks import knowledge, leaks
from litgrid.evaluation.results.site import SiteResults
from litgrid.evaluation.results.site_page import SitePage, site_parts, verdict
from litgrid.evaluation.results.transfer import Moved
from litgrid.evaluation.results.words import DASH, Lines, estimate, gain, points
from litgrid.evaluation.tables import markdown

DEFINITIONS = """\
A *gain* is a share of what is possible: (reference - controller) / (reference - bound), in each year. The reference of
the bill is self_consumption (vehicles at once, battery greedy), that of objective and CO2 is uncontrolled (vehicles at
once, battery idle). Bounds see the future: optimum leaves vehicles without energy where that pays; *served* is
optimum_served, where no vehicle goes without. Of agents: interquartile mean over seeds and years, and the 95 % interval
of a bootstrap over seeds, stratified by year (of three seeds a lower estimate). *Worst*: the lowest of any seed in any
year. `!`: service below 99 %. Minutes: wall clock of the longest training, validations included. Objective: with the
battery's charge at the year's end accounted for. Formulas: [accounting](accounting.md), [compare](compare.md)."""

IN_SHORT = """\
What the best agent saves of the objective in a year, beside the best rule that sees the same; both serve at least 99 %
of what vehicles ask for."""


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
    parts += ["## In short", IN_SHORT, markdown(_in_short(page.sites))]
    for site in page.sites:
        parts += site_parts(site)
    parts += _measured(page)
    if page.moved:
        parts += ["## One policy on sites of other sizes", markdown(_moved(page.moved))]
    parts += ["## No day is in two splits", *leaks(page.sites)]
    parts += ["## What decisions are made upon", *knowledge(page.sites)]
    return "\n\n".join(parts) + "\n"


def _machines(page: Page) -> str:
    """Where the page was made, and the runs were trained."""
    jobs, threads = page.jobs
    where = "; ".join(f"{machine} ({count(runs, 'run')})" for machine, runs in page.trained_on.items())
    pace = f"{jobs} at a time, {count(threads, 'thread')} each"
    minutes = [end for site in page.sites for one in site.found.results for end in one.minutes if end is not None]
    return f"Made on: {page.machine}. Trained on: {where}; {pace}; {sum(minutes):,.0f} minutes in all."


def _in_short(sites: Sequence[SitePage]) -> Lines:
    """A line for each site: is an agent better than a rule?"""
    head = ["site", "best agent", "seeds", "best rule", "the agent saves", "CO2, kg", "the agent"]
    return [head, *(_line(site.found) for site in sites)]


def _line(found: SiteResults) -> list[str]:
    results = {one.name: one for one in found.results}
    best = found.savings[0].agent if found.savings else None
    beside = [one for one in found.verdicts if one.agent == best]
    if not beside:
        return [found.site, best or "none with full service", *[DASH] * 5]
    hardest = min(beside, key=lambda one: one.saved.value)
    agent, rule = results[hardest.agent], results[hardest.rule]
    saved = f"{estimate(hardest.saved)} {found.currency}, {100.0 * hardest.saved.value / rule.objective.value:z.1f} %"
    co2 = f"{rule.means['co2_kg'] - agent.means['co2_kg']:z,.0f}"
    return [found.site, agent.name, str(len(agent.seeds)), rule.name, saved, co2, verdict(hardest)]


def _measured(page: Page) -> list[str]:
    """The sites' gains on generated years beside those on years from measured files."""
    sites = {site.found.site: {one.name: one for one in site.found.results} for site in page.sites}
    lines: Lines = [["site", "controller", "generated, %", "measured, %", "difference, points"]]
    for generated, measured in page.measured.items():
        first, second = sites.get(generated, {}), sites.get(measured, {})
        for name in [name for name in first if name in second]:
            pair = [results[name].gains["bill_served"] for results in (first, second)]
            shares = [found.share.value for found in pair if found is not None]
            more = f"{100.0 * (shares[1] - shares[0]):+.1f}" if len(shares) == len(pair) else DASH
            lines.append([measured, name, *map(gain, pair), more])
    if len(lines) == 1:
        return []
    text = "Share of the bill's gain at full service; each is trained, and measured, on its own years."
    return ["## Generated and measured years", text, markdown(lines)]


def _moved(rows: Sequence[Moved]) -> Lines:
    head = ["agent", "trained on", "on", "gain", "moved, %", "trained there, %", "lost, points", "lowest service, %"]
    names = {"objective": "objective", "objective_served": "objective, served"}
    return [head] + [
        [
            *(one.algorithm, one.trained_on, one.site, names[one.share], gain(one.moved), gain(one.own)),
            points(one.lost),
            f"{100.0 * one.service:.2f}",
        ]
        for one in rows
    ]

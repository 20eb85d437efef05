"""``evaluate``: rules and trained agents side by side, on one split of a site or a CityLearn data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from jsonargparse import Namespace

from litgrid.algorithms.agent import load_agent, load_untrained, objective_of, source_of
from litgrid.algorithms.policy import AgentController
from litgrid.algorithms.sources import CityLearnRows, SiteYears, Source
from litgrid.cli.messages import warn
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.cli.runs import run_of
from litgrid.cli.tune import rules_option
from litgrid.controllers import CONTROLLERS, Controller, check_names, make
from litgrid.errors import InputError
from litgrid.evaluation import plot
from litgrid.evaluation.report import evaluate, log_test, payload, table
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios import store
from litgrid.scenarios.district_split import PARTS, DistrictScenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.rules import Rules
from litgrid.site.site import Objective, read_site, replace

DEFAULTS = ["uncontrolled", "self_consumption"]
T = TypeVar("T")
SEEN = ("test", "all")
"""Splits with test scenarios in them."""


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid evaluate", description="Compare controllers on one split of a site or a data set.")
    add = options.add_argument
    add("--config", type=Path, default=None, help="the site's file; not needed with checkpoints, which know theirs")
    add(
        "--rules",
        type=Path,
        default=None,
        help="numbers of its rules in place of the site's, as tune --out writes them",
    )
    add("--citylearn", type=Path, default=None, help="folder of a CityLearn data set, instead of a site")
    add("--drop-washing-machines", action="store_true", help="leave out those of the data set")
    add(
        "--split",
        choices=PARTS,
        default="test",
        help="which years or days; all is a whole CityLearn data set, and KPIs",
    )
    add("--controllers", nargs="+", default=DEFAULTS, help=f"rules, of {', '.join(CONTROLLERS)}")
    add("--checkpoints", nargs="+", type=Path, default=[], help="agents, as in runs/.../checkpoints/best.ckpt")
    add("--untrained", action="store_true", help="also show each agent before its first update")
    add("--folder", type=Path, default=store.FOLDER, help="where scenarios are kept")
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    add("--plot", type=Path, default=None, help="PNG file for the picture of a week of a site")
    add("--week", type=int, default=27, help="which week to draw, 1 to 52")
    return options


def run(argv: list[str]) -> None:
    """Run ``evaluate``.

    Args:
        argv: the command and its options.

    Raises:
        InputError: an option, or a file that it names, is wrong.
    """
    options = parser().parse_args(argv[1:])
    check_json(options.json)
    if options.plot is not None:
        plot.check(options.week, options.plot)
    source = chosen(options)
    warn(source)
    names = [name for names in options.controllers for name in names.split(",")]
    check_names(names)
    trained = agents(options, source)
    scenarios = source.load(options.split)
    controllers = [*(make(name, scenarios) for name in names), *trained]
    if isinstance(scenarios, DistrictScenarios):
        if options.plot is not None:
            raise InputError(f"--plot {options.plot}: found a CityLearn data set, expected a site; only these have one")
        figures = evaluate(scenarios, controllers)
    else:
        figures = years(scenarios, controllers, options)
    write(options, figures)
    if options.split in SEEN:
        for checkpoint, row in zip(options.checkpoints, figures["controllers"][len(names) :], strict=False):
            log_test(run_of(checkpoint), checkpoint.name, row)


def years(scenarios: ScenarioSet, controllers: Sequence[Controller], options: Namespace) -> dict[str, Any]:
    """Account for whole years of a site, and draw a week where it is asked for."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    rollouts = [rollout(simulator, controller) for controller in controllers]  # one by one: decisions are timed
    figures = payload(simulator, rollouts)
    for row, run in zip(figures["controllers"], rollouts, strict=True):
        row["decision_seconds"] = run.decision_seconds
    if options.plot is not None:
        plot.week(rollouts, options.week, options.plot)
    return figures


def chosen(options: Namespace) -> Source:
    """Return what the controllers are compared on.

    Raises:
        InputError: nothing, or two things, were named; or checkpoints differ in what they were trained on.
    """
    if options.rules is not None and options.config is None:
        raise InputError("evaluate: found --rules without --config, expected both: the site whose rules they are")
    if options.config is not None and options.citylearn is not None:
        raise InputError("evaluate: found both --config and --citylearn, expected one of them")
    if options.config is not None:
        return SiteYears(read_site(options.config, rules_option(options.rules)), options.folder)
    if options.citylearn is not None:
        objectives = [objective_of(checkpoint) for checkpoint in options.checkpoints] or [Objective()]
        objective = agreed(objectives, options.checkpoints, "objective")
        return CityLearnRows(options.citylearn.resolve(), objective, options.drop_washing_machines)
    if not options.checkpoints:
        raise InputError(
            "evaluate: found neither --config nor --checkpoints nor --citylearn, expected a site, a trained agent or "
            "a data set"
        )
    return common_source(options.checkpoints, options.folder)


def common_source(checkpoints: Sequence[Path], folder: Path) -> Source:
    """Return what the agents of all checkpoints were trained on; the numbers of rules are those of the first.

    Raises:
        InputError: they differ in it.
    """
    found = [trained_on(checkpoint, folder) for checkpoint in checkpoints]
    agreed([without_rules(source) for source in found], checkpoints, "site or objective")
    return found[0]


def without_rules(source: Source) -> Source:
    """Return the source with the default numbers of rules; agents that change a rule bring its numbers along."""
    if not isinstance(source, SiteYears):
        return source
    return dataclasses.replace(source, site=replace(source.site, rules=Rules()))


def trained_on(checkpoint: Path, folder: Path) -> Source:
    """Return what a checkpoint's agent was trained on; years of sites are kept in the folder."""
    source = source_of(checkpoint)
    return SiteYears(source.site, folder) if isinstance(source, SiteYears) else source


def agreed(found: list[T], checkpoints: Sequence[Path], what: str) -> T:
    """Return what the checkpoints have in common.

    Raises:
        InputError: they differ.
    """
    for checkpoint, value in zip(checkpoints, found, strict=False):
        if value != found[0]:
            raise InputError(f"{checkpoint}: found another {what} than {checkpoints[0]} has; say with --config which")
    return found[0]


def agents(options: Namespace, source: Source) -> list[AgentController]:
    """Load the trained agents, and then the untrained ones if they are asked for."""
    trained = [load_agent(checkpoint, source) for checkpoint in options.checkpoints]
    if not options.untrained:
        return trained
    return trained + [load_untrained(checkpoint, source) for checkpoint in options.checkpoints]


def write(options: Namespace, figures: dict[str, Any]) -> None:
    """Print the table, unless standard output is for JSON; write JSON where it is asked for."""
    if options.json is not None:
        write_json(figures, options.json)
    if options.json != "-":
        print(table(figures))

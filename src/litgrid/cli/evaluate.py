"""``evaluate``: rules and trained agents side by side, on whole years of one split."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import torch
from jsonargparse import Namespace

from litgrid.algorithms.agent import load_agent, load_untrained, site_of
from litgrid.algorithms.policy import AgentController
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.cli.runs import run_of
from litgrid.controllers import CONTROLLERS, make
from litgrid.errors import InputError
from litgrid.evaluation import plot
from litgrid.evaluation.report import log_test, payload, table
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import Split
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, read_site

DEFAULTS = ["uncontrolled", "self_consumption"]


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid evaluate", description="Compare controllers on whole years of one split.")
    add = options.add_argument
    add("--config", type=Path, default=None, help="the site's file; not needed with checkpoints, which know theirs")
    add("--split", choices=get_args(Split), default="test", help="which years")
    add("--controllers", nargs="+", default=DEFAULTS, help=f"rules, of {', '.join(CONTROLLERS)}")
    add("--checkpoints", nargs="+", type=Path, default=[], help="agents, as in runs/.../checkpoints/best.ckpt")
    add("--untrained", action="store_true", help="also show each agent before its first update")
    add("--folder", type=Path, default=store.FOLDER, help="where scenarios are kept")
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    add("--plot", type=Path, default=None, help="PNG file for the picture of a week")
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
    site = read_site(options.config) if options.config is not None else trained_on(options.checkpoints)
    rules = [make(name) for names in options.controllers for name in names.split(",")]
    controllers = [*rules, *agents(options, site)]
    simulator = Simulator(store.load(site, options.split, options.folder), dtype=torch.float64)
    rollouts = [rollout(simulator, controller) for controller in controllers]
    figures = payload(simulator, rollouts)
    write(options, figures)
    if options.plot is not None:
        plot.week(rollouts, options.week, options.plot)
    if options.split == "test":
        for checkpoint, row in zip(options.checkpoints, figures["controllers"][len(rules) :], strict=False):
            log_test(run_of(checkpoint), checkpoint.name, row)


def trained_on(checkpoints: list[Path]) -> Site:
    """Return the site of the runs that the checkpoints belong to.

    Raises:
        InputError: there is no checkpoint, or their sites differ.
    """
    if not checkpoints:
        raise InputError("evaluate: found neither --config nor --checkpoints, expected a site or a trained agent")
    first, *others = [site_of(checkpoint) for checkpoint in checkpoints]
    for checkpoint, site in zip(checkpoints[1:], others, strict=True):
        if site != first:
            raise InputError(f"{checkpoint}: found another site than {checkpoints[0]} has; say with --config which")
    return first


def agents(options: Namespace, site: Site) -> list[AgentController]:
    """Load the trained agents, and then the untrained ones if they are asked for."""
    trained = [load_agent(checkpoint, site) for checkpoint in options.checkpoints]
    if not options.untrained:
        return trained
    return trained + [load_untrained(checkpoint, site) for checkpoint in options.checkpoints]


def write(options: Namespace, figures: dict[str, Any]) -> None:
    """Print the table, unless standard output is for JSON; write JSON where it is asked for."""
    if options.json is not None:
        write_json(figures, options.json)
    if options.json != "-":
        print(table(figures))

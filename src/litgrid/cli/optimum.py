"""``optimum``: the bound of a site's years, its certificate, its schedule, and what each flexibility is worth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

from jsonargparse import Namespace

from litgrid.cli.memory import peak_gb
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.cli.schedule import write_schedule
from litgrid.controllers import make
from litgrid.errors import InputError
from litgrid.evaluation.bound import bound, table
from litgrid.evaluation.flexibility import flexibility
from litgrid.evaluation.flexibility import table as flexibility_table
from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import Split
from litgrid.site.site import read_site

CONFIG = Path("configs/sites/iquitos.yaml")


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid optimum", description="The best that whole years allow, with perfect foresight.")
    add = options.add_argument
    add("--config", type=Path, default=CONFIG, help="the site's file")
    add("--split", choices=get_args(Split), default="test", help="which years")
    add("--folder", type=Path, default=store.FOLDER, help="where scenarios and solved years are kept")
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    add("--schedule", type=Path, default=None, help="CSV file for the schedule, step by step")
    add("--flexibility", action="store_true", help="also solve with the battery alone, the sockets alone, V2G, ...")
    return options


def run(argv: list[str]) -> None:
    """Run ``optimum``.

    Args:
        argv: the command and its options.

    Raises:
        InputError: an option, or a file that it names, is wrong.
    """
    options = parser().parse_args(argv[1:])
    check(options)
    scenarios = store.load(read_site(options.config), options.split, options.folder)
    figures = bound(scenarios)
    text = table(figures)
    if options.flexibility:
        cases = flexibility(scenarios)
        figures["flexibility"] = cases
        text += "\n\n" + flexibility_table(cases, figures["currency"])
    figures["memory_gb"] = peak_gb()
    if options.schedule is not None:
        write_schedule(scenarios, make("optimum", scenarios), options.schedule)
    if options.json is not None:
        write_json(figures, options.json)
    print(text, file=sys.stderr if options.json == "-" else sys.stdout)


def check(options: Namespace) -> None:
    """Refuse files that can't be written, before anything is computed.

    Raises:
        InputError: naming the option.
    """
    check_json(options.json)
    path = options.schedule
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"--schedule {path}: found no folder for such a file, expected a file in an existing folder")

"""``optimum``: the bound of a site's years, its certificate, its schedule, and what each flexibility is worth.

Of a CityLearn data set, a bound by a relaxation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from litgrid.algorithms.sources import CityLearnRows, SiteYears
from litgrid.cli.memory import peak_gb
from litgrid.cli.messages import warn
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.cli.schedule import write_schedule
from litgrid.controllers import make
from litgrid.errors import InputError
from litgrid.evaluation.bound import bound, table
from litgrid.evaluation.district_bound import bound as district_bound
from litgrid.evaluation.district_bound import table as district_table
from litgrid.evaluation.flexibility import flexibility
from litgrid.evaluation.flexibility import table as flexibility_table
from litgrid.scenarios import store
from litgrid.scenarios.district_split import PARTS, DistrictScenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.worlds import Scenarios
from litgrid.site.site import Objective, read_site

CONFIG = Path("configs/sites/iquitos.yaml")


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid optimum", description="The best that whole years allow, with perfect foresight.")
    add = options.add_argument
    add("--config", type=Path, default=None, help=f"the site's file; without it and --citylearn {CONFIG}")
    add("--citylearn", type=Path, default=None, help="folder of a CityLearn data set, instead of a site: a relaxation")
    add("--drop-washing-machines", action="store_true", help="leave out those of the data set")
    add("--objective", type=Objective, default=Objective(), help="of the data set")
    add("--split", choices=PARTS, default="test", help="which years or days; all is a whole CityLearn data set")
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
    known = parser()
    options = known.instantiate_classes(known.parse_args(argv[1:]))
    check(options)
    scenarios = load(options)
    if isinstance(scenarios, DistrictScenarios):
        figures = district_bound(scenarios)
        text = district_table(figures)
    else:
        figures, text = years(scenarios, options)
    figures["memory_gb"] = peak_gb()
    if options.json is not None:
        write_json(figures, options.json)
    print(text, file=sys.stderr if options.json == "-" else sys.stdout)


def load(options: Namespace) -> Scenarios:
    """The scenarios that the options name.

    Raises:
        InputError: there are none, or the file of a site is wrong.
    """
    if options.citylearn is None:
        return SiteYears(read_site(options.config or CONFIG), options.folder).load(options.split)
    rows = CityLearnRows(options.citylearn.resolve(), options.objective, options.drop_washing_machines)
    warn(rows)
    return rows.load(options.split)


def years(scenarios: ScenarioSet, options: Namespace) -> tuple[dict[str, Any], str]:
    """Bound the years of a site: the figures, and the tables; write the schedule where it is asked for."""
    figures = bound(scenarios)
    text = table(figures)
    if options.flexibility:
        figures["flexibility"] = flexibility(scenarios)
        text += "\n\n" + flexibility_table(figures["flexibility"], figures["currency"])
    if options.schedule is not None:
        write_schedule(scenarios, make("optimum", scenarios), options.schedule)
    return figures, text


def check(options: Namespace) -> None:
    """Refuse files that can't be written, and options that don't go together, before anything is computed.

    Raises:
        InputError: naming the option.
    """
    check_json(options.json)
    if options.citylearn is None and (options.objective != Objective() or options.drop_washing_machines):
        raise InputError("optimum: found --objective or --drop-washing-machines without --citylearn, expected both")
    for name in ("config", "schedule", "flexibility"):
        if options.citylearn is not None and getattr(options, name):
            raise InputError(f"optimum: found both --citylearn and --{name}, expected one of them")
    path = options.schedule
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"--schedule {path}: found no folder for such a file, expected a file in an existing folder")

"""``dataset``: a site's scenarios built, shown and written for CityLearn; CityLearn's folders checked and read."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from jsonargparse import Namespace

from litgrid.cli.options import Parser, check_json, write_json
from litgrid.errors import InputError
from litgrid.scenarios import plot, store, summary
from litgrid.scenarios.citylearn_folder import check_folder
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import figures as district_figures
from litgrid.scenarios.export import export
from litgrid.scenarios.scenario_set import SPLITS, ScenarioSet, Split
from litgrid.site.site import Site, read_site

ACTIONS = {
    "build": "make the years of all splits that are not there yet; print their yearly figures",
    "show": "print the yearly figures of one split, and draw a week (PNG)",
    "export": "write one year as a CityLearn 3.0.2 data set (schema.json and CSV files)",
}
CHECK = "say whether CityLearn would read a folder (schema.json and CSV files) as it is meant: dataset check FOLDER"
IMPORT = (
    "read a CityLearn folder of any electrical district; print what is in it, and its oddities: dataset import FOLDER"
)
PICTURE = "week.png"
USAGE = "\n".join(
    [
        "usage: litgrid dataset ACTION --config SITE.yaml [--site.KEY VALUE ...] [options]\n\nactions:",
        *(f"  {name:<8}{text}" for name, text in (ACTIONS | {"check": CHECK, "import": IMPORT}).items()),
        "\n`litgrid dataset ACTION --help` lists an action's options.",
        "Start with: litgrid dataset build --config configs/sites/iquitos.yaml",
    ]
)


def run(argv: list[str]) -> None:
    """Run ``dataset``.

    Args:
        argv: the command, the action and its options.

    Raises:
        InputError: an option, the site or a file is wrong.
    """
    action = argv[1] if len(argv) > 1 else "--help"
    if action in ("-h", "--help", "help"):
        print(USAGE)
        return
    if action in ("check", "import"):
        {"check": _check, "import": _import}[action](argv[2:])
        return
    if action not in ACTIONS:
        raise InputError(f"dataset {action}: unknown action, expected one of: {', '.join(ACTIONS)}, check, import")
    overrides, rest = _split_overrides(argv[2:])
    options = _parser(action).parse_args(rest)
    check_json(options.get("json"))
    site = read_site(options.config, overrides)
    {"build": _build, "show": _show, "export": _export}[action](site, options)


def _parser(action: str) -> Parser:
    options = Parser(prog=f"litgrid dataset {action}", description=f"Dataset {action}: {ACTIONS[action]}.")
    add = options.add_argument
    add("--config", type=Path, required=True, help="the site (YAML); --site.KEY VALUE replaces a key of it")
    if action != "build":
        default = "test" if action == "export" else "train"
        add("--split", choices=get_args(Split), default=default, help="which years")
        add("--year", type=int, default=0, help="number of the year in its split, from 0")
    if action == "export":
        add("--folder", type=Path, required=True, help="to write the data set to; new or empty")
        add("--scenarios", type=Path, default=store.FOLDER, help="where scenarios are kept")
        return options
    add("--folder", type=Path, default=store.FOLDER, help="where scenarios are kept")
    add("--json", type=str, default=None, help="write the figures to this file; - for standard output")
    if action == "show":
        add("--plot", type=Path, default=None, help="picture of the week; by default week.png beside the scenarios")
        add("--week", type=int, default=27, help="to draw, 1 to 52")
    return options


def _split_overrides(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part options of the site (``--site.KEY VALUE`` or ``--site.KEY=VALUE``) from the command's own."""
    overrides, rest, arguments = [], [], iter(argv)
    for argument in arguments:
        if not argument.startswith("--site."):
            rest.append(argument)
        elif "=" in argument:
            overrides.append(argument)
        else:
            overrides.append(f"{argument}={next(arguments, '')}")
    return overrides, rest


def _load(site: Site, split: Split, folder: Path) -> ScenarioSet:
    """Load a split, and say on standard error what happens."""
    kept, start = store.path(site, split, folder), time.perf_counter()
    there = kept.exists()
    scenarios = store.load(site, split, folder)
    done = "found" if there else f"built in {time.perf_counter() - start:.1f} s"
    print(f"{split}: {len(scenarios)} years {done}, {kept}", file=sys.stderr, flush=True)
    return scenarios


def _report(options: Namespace, start: float, rows: list[dict[str, Any]]) -> None:
    """Print the table, and write the figures; with ``--json -`` the standard output is theirs alone."""
    print(summary.table(rows), file=sys.stderr if options.json == "-" else sys.stdout)
    if options.json is not None:
        write_json({"build_seconds": time.perf_counter() - start, "scenarios": rows}, options.json)


def _build(site: Site, options: Namespace) -> None:
    start = time.perf_counter()
    rows = [row for split in SPLITS for row in summary.figures(_load(site, split, options.folder))]
    _report(options, start, rows)


def _show(site: Site, options: Namespace) -> None:
    start = time.perf_counter()
    plot.check(options.week, options.plot or Path(PICTURE))
    scenarios = _load(site, options.split, options.folder)
    _check_year(scenarios, options.year)
    picture = options.plot or store.path(site, options.split, options.folder) / PICTURE
    _report(options, start, summary.figures(scenarios))
    plot.save(plot.draw(scenarios, options.year, options.week), picture)
    print(f"week {options.week} of year {options.year}: {picture}", file=sys.stderr)


def _export(site: Site, options: Namespace) -> None:
    scenarios = _load(site, options.split, options.scenarios)
    _check_year(scenarios, options.year)
    print(export(scenarios, options.year, options.folder))


def _check(argv: Sequence[str]) -> None:
    options = Parser(prog="litgrid dataset check", description=CHECK)
    options.add_argument("folder", type=Path, help="of a CityLearn 3.0.2 data set")
    folder: Path = options.parse_args(list(argv)).folder
    check_folder(folder)
    print(f"{folder}: CityLearn reads every file as it is meant")


def _import(argv: Sequence[str]) -> None:
    options = Parser(prog="litgrid dataset import", description=IMPORT)
    options.add_argument("folder", type=Path, help="of a CityLearn 3.0.2 data set, of v2 or v3 layout")
    options.add_argument(
        "--drop-washing-machines", action="store_true", help="leave washing machines and deferrable appliances out"
    )
    options.add_argument("--json", type=str, default=None, help="write it to this file; - for standard output")
    given = options.parse_args(list(argv))
    check_json(given.json)
    district, warnings = read_district(given.folder, given.drop_washing_machines)
    figures = district_figures(district)
    out = sys.stderr if given.json == "-" else sys.stdout
    for key, value in figures.items():
        print(f"{key:<16}{value:,.1f}" if isinstance(value, float) else f"{key:<16}{value}", file=out)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if given.json is not None:
        write_json({**figures, "warnings": warnings}, given.json)


def _check_year(scenarios: ScenarioSet, year: int) -> None:
    if not 0 <= year < len(scenarios):
        raise InputError(f"--year: found {year}, expected 0 to {len(scenarios) - 1}")

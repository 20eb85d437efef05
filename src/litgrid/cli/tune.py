"""``tune``: the numbers of a rule, found on the train years, measured on train and validation years."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt

from litgrid.algorithms.files import write_whole
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.controllers import Controller
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.water_filling import WaterFilling
from litgrid.errors import InputError
from litgrid.evaluation.accounting import mean, yearly
from litgrid.evaluation.rollout import rollout
from litgrid.evaluation.tuning import CANDIDATES, rules_of, tune, with_settings
from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, read_site

RULES = ("water_filling",)
SPLITS: tuple[Split, ...] = ("train", "validation")
"""Test years are for ``evaluate`` alone."""
FIGURES = ("objective", "bill", "demand_bill", "co2_kg", "ev_service")


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid tune", description="Find the numbers of a rule on the train years of a site.")
    add = options.add_argument
    add("rule", choices=RULES, help="which")
    add("--config", type=Path, required=True, help="the site (YAML); its numbers are where the search starts")
    add("--rules", type=Path, default=None, help="start from the numbers in this file, as --out wrote it")
    add("--evaluations", type=PositiveInt, default=480, help=f"candidates to try, rounded up to {CANDIDATES} at a time")
    add("--years", type=PositiveInt, default=2, help="train years to search on; all are used to compare")
    add("--seed", type=NonNegativeInt, default=0, help="of the search")
    add("--folder", type=Path, default=store.FOLDER, help="where scenarios are kept")
    add("--out", type=Path, default=None, help="write the numbers found to this file, for evaluate --rules FILE")
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    return options


def run(argv: list[str]) -> None:
    """Run ``tune``.

    Args:
        argv: the command, the rule and the options.

    Raises:
        InputError: an option, the site or a file is wrong.
    """
    options = parser().parse_args(argv[1:])
    check_json(options.json)
    if options.out is not None and not options.out.parent.is_dir():
        raise InputError(f"--out {options.out}: there is no folder {options.out.parent}; expected an existing one")
    site = read_site(options.config, rules_option(options.rules))
    years = {split: store.load(site, split, options.folder) for split in SPLITS}
    if options.years > len(years["train"]):
        raise InputError(f"--years: found {options.years}, expected at most the {len(years['train'])} train years")
    figures = search(site, years, options)
    if options.out is not None:
        write_whole(options.out, block(figures["rules"]).encode())
    if options.json is not None:
        write_json(figures, options.json)
    if options.json != "-":
        print(f"{table(figures)}\n\nrules:\n{indented(block(figures['rules']))}")


def rules_option(path: Path | None) -> list[str]:
    """The override of ``read_site`` that takes a site's rules from a file.

    Raises:
        InputError: there is no such file.
    """
    if path is None:
        return []
    if not path.is_file():
        raise InputError(f"--rules {path}: found no file, expected one that `litgrid tune --out` wrote")
    return [f"--site.rules={path.resolve()}"]


def search(site: Site, years: dict[Split, ScenarioSet], options: Namespace) -> dict[str, Any]:
    """Tune, and measure before and after beside the self-consumption rule."""
    start = time.perf_counter()

    def report(tried: int, lowest: float) -> None:
        line = f"{tried} of {options.evaluations} candidates, {time.perf_counter() - start:.0f} s: {lowest:,.0f}"
        print(line, file=sys.stderr, flush=True)

    train = years["train"]
    some = ScenarioSet(site, "train", train.series[: options.years], train.sessions[: options.years])
    found = tune(some, options.evaluations, options.seed, report)
    seconds = time.perf_counter() - start
    tuned = with_settings(site, found.settings)
    rules: dict[str, Controller] = {
        "self_consumption": SelfConsumption(),
        "before": WaterFilling(site),
        "after": WaterFilling(tuned),
    }
    return {
        "rule": options.rule,
        "seed": options.seed,
        "evaluations": found.evaluations,
        "seconds": seconds,
        "currency": site.tariff.currency,
        "rules": rules_of(tuned),
        "results": [measured(years[split], name, rule) for split in SPLITS for name, rule in rules.items()],
    }


def measured(scenarios: ScenarioSet, name: str, controller: Controller) -> dict[str, Any]:
    """Means over the whole years of a split."""
    figures = mean(yearly(rollout(Simulator(scenarios, dtype=torch.float64), controller)))
    return {"split": scenarios.split, "rule": name, **{key: figures[key] for key in FIGURES}}


def table(figures: dict[str, Any]) -> str:
    """The results for the terminal."""
    lines = [f"{figures['evaluations']} candidates in {figures['seconds']:.0f} s; a year, in {figures['currency']}"]
    lines.append(
        f"{'split':<12}{'rule':<18}{'objective':>12}{'bill':>12}{'demand':>12}{'CO2, t':>10}{'service, %':>12}"
    )
    for row in figures["results"]:
        money = "".join(f"{row[key]:>12,.0f}" for key in ("objective", "bill", "demand_bill"))
        rest = f"{row['co2_kg'] / 1e3:>10,.1f}{row['ev_service'] * 100:>12.2f}"
        lines.append(f"{row['split']:<12}{row['rule']:<18}{money}{rest}")
    return "\n".join(lines)


def block(rules: dict[str, Any]) -> str:
    """What a site's file says under ``rules``."""
    text: str = yaml.safe_dump(rules, sort_keys=False)
    return text


def indented(text: str) -> str:
    """Two spaces before each line."""
    return "".join(f"  {line}\n" for line in text.splitlines()).rstrip("\n")

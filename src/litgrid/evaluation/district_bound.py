"""The bound of a district's days: what no controller can beat, by a relaxation; and how near to it the rules come."""

from __future__ import annotations

from typing import Any

from litgrid.controllers import make
from litgrid.controllers.district_program import solve
from litgrid.controllers.relaxed import relaxed
from litgrid.evaluation.district_report import evaluate
from litgrid.evaluation.report import align
from litgrid.evaluation.shares import SMALLEST_GAIN
from litgrid.scenarios.district_split import DistrictScenarios

REFERENCE = "uncontrolled"
RULES = (REFERENCE, "self_consumption")
TOLERANCE = 1e-6
"""Of the solver, relative to the objective."""


def bound(scenarios: DistrictScenarios) -> dict[str, Any]:
    """Bound every block of a split, and run the rules through the same blocks.

    There is no schedule to replay: what the program does at the best of all curves, the simulator can't do.

    Returns:
        The figures of ``optimum --json``: ``site``, ``split``, ``currency`` (None: that of the data), ``days``,
        ``relaxation`` (True), ``relaxed`` (what was, by ``controllers.relaxed``), ``objective``, ``seconds``,
        ``variables``, ``constraints`` (sums over the blocks, and those of each under ``blocks``), and ``controllers``:
        name, ``objective``, and ``share_of_bound``, (reference - controller) / (reference - bound), which is None where
        the bound gains next to nothing.

    Raises:
        ArithmeticError: HiGHS found no optimum, or a rule beats the bound.
    """
    blocks = [vars(block) for block in solve(scenarios)]
    sums = {name: sum(block[name] for block in blocks) for name in blocks[0]}
    run = evaluate(scenarios, [make(name, scenarios) for name in RULES])
    costs = {row["controller"]: row["objective"] for row in run["controllers"]}
    return {
        **{name: run[name] for name in ("site", "split", "currency", "days")},
        "relaxation": True,
        "relaxed": relaxed(scenarios),
        **sums,
        "controllers": [_row(name, costs, sums["objective"]) for name in RULES],
        "blocks": blocks,
    }


def _row(name: str, costs: dict[str, float], least: float) -> dict[str, Any]:
    """Where a controller lies between the reference and the bound."""
    reference, cost = costs[REFERENCE], costs[name]
    if cost < least - TOLERANCE * max(1.0, abs(least)):
        raise ArithmeticError(f"optimum: found {cost} for {name}, expected at least the bound, {least}")
    gain = reference - least
    share = (reference - cost) / gain if gain > SMALLEST_GAIN * abs(reference) else None
    return {"controller": name, "objective": cost, "share_of_bound": share}


def table(figures: dict[str, Any]) -> str:
    """The bound for the terminal, below the rules; and what was relaxed."""
    days = f"{figures['site']}, {figures['split']}, {figures['days']:g} days in {len(figures['blocks'])} blocks"
    share = [format(row["share_of_bound"] or 0.0, ".1%") for row in figures["controllers"]]
    rules = [[row["controller"], f"{row['objective']:,.2f}"] for row in figures["controllers"]]
    lines = [
        [days, "objective", "of what the bound gains"],
        *([*rule, part] for rule, part in zip(rules, share, strict=True)),
        ["bound (relaxation)", f"{figures['objective']:,.2f}", ""],
    ]
    effort = f"{figures['variables']:,} variables, {figures['constraints']:,} constraints, {figures['seconds']:.2f} s"
    parts = [f"  {part}" for part in figures["relaxed"]] or ["  nothing: the bound is exact"]
    return "\n".join([*align(lines), "", effort, "relaxed:", *parts])

"""What an evaluation reports: the figures as JSON, and as a table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from litgrid.controllers import Controller
from litgrid.evaluation import district_report
from litgrid.evaluation.accounting import mean, yearly
from litgrid.evaluation.ladder import Rung, ladders, total
from litgrid.evaluation.rollout import Rollout, label, rollouts
from litgrid.evaluation.shares import SHARES, references, shares
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim.simulator import Simulator
from litgrid.sim.worlds import Scenarios

TEST_LOG = "test_evaluations.jsonl"
LOWEST_SERVICE = 0.99  # below it a controller saves energy by not charging vehicles, and its row is flagged
RUNGS = {
    "gasoline": "vehicles on gasoline, building on the grid",
    "ev_on_grid": "+ vehicles on the grid",
    "pv": "+ PV",
    "bess_and_rule": "+ battery with the self-consumption rule",
}


def evaluate(scenarios: Scenarios, controllers: Sequence[Controller]) -> dict[str, Any]:
    """Run controllers through every year of a split, or every block of days, and account for them, in float64.

    Returns:
        The figures of ``evaluate --json`` (``payload``, or ``district_report.evaluate``).
    """
    if isinstance(scenarios, DistrictScenarios):
        return district_report.evaluate(scenarios, controllers)
    simulator = Simulator(scenarios, dtype=torch.float64)
    return payload(simulator, rollouts(simulator, controllers))


def payload(simulator: Simulator, rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """Account for rollouts of the simulator's years.

    Returns:
        ``site``, ``split``, ``currency``, ``controllers`` (a row each: means over the years, and the years' own
        figures under ``years``), ``ladders`` (one for each agent), ``ladder`` (the first of them, or that of the
        rules) and ``ladder_total``.
    """
    scenarios = simulator.scenarios
    hidden = references(simulator, rollouts)
    found = ladders(simulator, [*rollouts, *hidden])
    first = next(iter(found.agents.values()), found.rules)
    return {
        "site": scenarios.site.name,
        "split": scenarios.split,
        "currency": scenarios.site.tariff.currency,
        "controllers": rows(rollouts, hidden),
        "ladder": first,
        "ladder_total": total(first),
        "ladders": found.agents,
    }


def rows(rollouts: Sequence[Rollout], hidden: Sequence[Rollout] = ()) -> list[dict[str, Any]]:
    """Account for controllers, with their shares of what the optimum gains.

    Args:
        rollouts: to account for.
        hidden: the references that are not among them (``shares.references``).
    """
    found = [row(run) for run in rollouts]
    fixed = {entry["controller"]: entry for entry in (*found, *map(row, hidden)) if entry["seed"] is None}
    return [entry | shares(entry, fixed) for entry in found]


def row(run: Rollout) -> dict[str, Any]:
    """Account for one controller."""
    years = yearly(run)
    about = {"controller": run.controller, "seed": run.seed, "split": run.scenarios.split}
    return {**about, **mean(years), **dict.fromkeys(SHARES), "years": years}


def log_test(run: Path, checkpoint: str, row: dict[str, Any]) -> None:
    """Log with a run that its agent was seen on the test years: a line in ``test_evaluations.jsonl``.

    Args:
        run: folder of the run.
        checkpoint: name of the file.
        row: of the agent, as in ``payload``.
    """
    when = datetime.now(UTC).isoformat(timespec="seconds")
    totals = {key: value for key, value in row.items() if key not in ("years", "blocks")}
    entry = {"time": when, "checkpoint": checkpoint, **totals}
    with (run / TEST_LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def table(figures: dict[str, Any]) -> str:
    """Lay figures out for the terminal, those of a site in at most 100 columns, in plain text."""
    sections = [[title(figures)], _comparison(figures)]
    if any(row.get(name) is not None for row in figures["controllers"] for name in SHARES):
        sections.append(share_lines(figures["controllers"]))
    if "ladder" in figures:
        sections.append(ladder_lines(figures))
    if "kpis" in figures["controllers"][0]:
        sections.append(_kpis(figures["controllers"]))
    return "\n\n".join("\n".join(lines) for lines in sections)


def count(number: float, what: str) -> str:
    """Write a number of things."""
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def title(figures: dict[str, Any]) -> str:
    """Say what was simulated."""
    if "days" in figures:
        length = f"{count(round(figures['days'], 1), 'day')} in {count(figures['blocks'], 'block')}"
    else:
        length = f"mean of {count(len(figures['controllers'][0]['years']), 'year')}"
    return f"{figures['site']}: {figures['split']}, {length}"


# heading, unit, figure, factor, format
_SITE = (
    ("CO2", "t", "co2_kg", 1e-3, ",.1f"),
    ("objective", "{currency}", "objective", 1.0, ",.0f"),
    ("bill", "{currency}", "bill", 1.0, ",.0f"),
    ("demand", "{currency}", "demand_bill", 1.0, ",.0f"),
    ("peak", "kW", "peak_kw", 1.0, ",.0f"),
    ("PV used", "%", "self_consumption", 100.0, ".1f"),
    ("unserved", "kWh", "ev_unserved_kwh", 1.0, ",.0f"),
    ("service", "%", "ev_service", 100.0, ".2f"),
)
_DECISION = ("decision", "ms", "decision_seconds", 1e3, ",.2f")
"""Where decisions were timed."""
_DISTRICT = (
    ("CO2", "kg", "co2_kg", 1.0, ",.1f"),
    ("objective", "", "objective", 1.0, ",.2f"),
    ("bill", "", "bill", 1.0, ",.2f"),
    ("peak", "kW", "peak_kw", 1.0, ",.1f"),
    ("PV used", "%", "self_consumption", 100.0, ".1f"),
    ("unserved", "kWh", "ev_unserved_kwh", 1.0, ",.1f"),
    ("service", "%", "ev_service", 100.0, ".2f"),
)
_Columns = tuple[tuple[str, str, str, float, str], ...]


def _comparison(figures: dict[str, Any]) -> list[str]:
    rows, columns = figures["controllers"], _SITE if "ladder" in figures else _DISTRICT
    if "decision_seconds" in rows[0]:
        columns = (*columns[:-1], _DECISION, columns[-1])
    head = [["controller", *(column[0] for column in columns)]]
    units = [["", *(column[1].format(currency=figures["currency"]) for column in columns)]]
    lines = align([*head, *units, *(_cells(entry, columns) for entry in rows)])
    if any(entry["ev_service"] < LOWEST_SERVICE for entry in rows):
        lines.append(f"! service below {LOWEST_SERVICE:.0%}: vehicles went without, so its savings don't count")
    return lines


def _cells(entry: dict[str, Any], columns: _Columns) -> list[str]:
    numbers = [format(entry[key] * factor, form) for _, _, key, factor, form in columns]
    flag = "!" if entry["ev_service"] < LOWEST_SERVICE else " "
    return [label(entry["controller"], entry["seed"]), *numbers[:-1], numbers[-1] + flag]


def share_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Lay out what the controllers capture of the optimum's gains."""

    def text(value: float | None) -> str:
        return "-" if value is None else f"{value:.1%}"

    head = ["share of the optimum's gain", *(f"{name.removeprefix('share_')}" for name in SHARES), "service"]
    lines = [
        [label(row["controller"], row["seed"]), *(text(row[name]) for name in SHARES), text(row["ev_service"])]
        for row in rows
    ]
    return align([head, *lines])


def _kpis(rows: list[dict[str, Any]]) -> list[str]:
    """CityLearn's KPIs, a column for each controller."""

    def text(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    lines = [["CityLearn's KPIs", *(row["controller"] for row in rows)]]
    return align([*lines, *([name, *(text(row["kpis"][name]) for row in rows)] for name in rows[0]["kpis"])])


def ladder_lines(figures: dict[str, Any]) -> list[str]:
    """Lay the CO2 ladder out: the rungs of the rules, then the last rung of each agent, and the sums."""
    ladders: dict[str, list[Rung]] = figures["ladders"]
    rungs = [*figures["ladder"][: len(RUNGS)], *(ladder[-1] for ladder in ladders.values())]
    sums = {f"sum of all steps to {name}": ladder for name, ladder in ladders.items()}
    lines = [["CO2 ladder", "t a year", "saved, t", "tailpipes", "grid"]]
    lines += [[rung_name(rung["rung"]), _tonnes(rung["co2_kg"]), *_saved(rung)] for rung in rungs]
    lines += [
        [text, "", *_saved(total(ladder))] for text, ladder in (sums or {"sum of all steps": figures["ladder"]}).items()
    ]
    return align(lines)


def _tonnes(kg: float) -> str:
    return f"{kg / 1e3:,.1f}"


def _saved(figures: Mapping[str, Any]) -> list[str]:
    return [_tonnes(figures[key]) for key in ("reduction_kg", "direct_kg", "indirect_kg")]


def rung_name(name: str) -> str:
    """Say what a rung changes."""
    return RUNGS.get(name, f"{name} instead of the rule")


def align(cells: list[list[str]]) -> list[str]:
    """Pad to columns: the first to the left, the others to the right."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in cells
    ]

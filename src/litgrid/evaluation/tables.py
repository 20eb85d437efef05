"""A comparison as tables: for the terminal, CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litgrid.evaluation.comparison import Comparison, Entry
from litgrid.evaluation.report import align, ladder_lines, title
from litgrid.evaluation.statistics import Estimate

WIDTH = 100
MEANS = (
    "objective",
    "objective_corrected",
    "soc_correction_objective",
    "bill",
    "energy_bill",
    "demand_bill",
    "co2_kg",
    "peak_kw",
    "self_consumption",
    "self_sufficiency",
    "battery_cycles",
    "ev_unserved_kwh",
    "ev_service",
    "share_co2",
    "share_bill",
    "share_objective",
)
"""Figures of a record that are means over seeds and years."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of the tables for people.

    Attributes:
        heading: what it shows.
        unit: of its numbers.
        keys: of the record; where one of them is missing, the cell is a dash.
        form: for ``str.format``, with the values of the keys in order.
        factor: by which numbers are multiplied.
    """

    heading: str
    unit: str
    keys: tuple[str, ...]
    form: str = "{}"
    factor: float = 1.0

    def cell(self, record: Record) -> str:
        """Write the cell of a record."""
        values = [record[key] for key in self.keys]
        if any(value is None for value in values):
            return "-"
        return self.form.format(*(value if isinstance(value, str) else value * self.factor for value in values))


COLUMNS = (
    Column("controller", "", ("controller",)),
    Column("seeds", "", ("seeds",), "{:.0f}"),
    Column("objective", "{currency}", ("objective_iqm",), "{:,.0f}"),
    Column("95 % interval", "{currency}", ("objective_low", "objective_high"), "{:,.0f} to {:,.0f}"),
    Column("bill", "{currency}", ("bill",), "{:,.0f}"),
    Column("CO2", "t", ("co2_kg",), "{:,.1f}", 1e-3),
    Column("peak", "kW", ("peak_kw",), "{:,.0f}"),
    Column("share", "%", ("share_objective",), "{:.1f}", 100.0),
    Column("service", "%", ("ev_service",), "{:.2f}", 100.0),
)
NOTE = (
    "objective: with the battery's charge at the year's end accounted for, interquartile mean over seeds and years; "
    "share: of what the optimum saves on the objective; the other figures are means."
)
FLAG = "! service below 99 %: vehicles went without, so its savings do not count."


def records(comparison: Comparison) -> list[Record]:
    """One record for each entry: what the CSV and the W&B table have."""
    return [record(entry) for entry in comparison.entries]


def record(entry: Entry) -> Record:
    """The figures of an entry over all its seeds and years."""
    objective = entry.standing.objective
    return {
        "controller": entry.name,
        "kind": entry.kind,
        "seeds": entry.standing.seeds or None,
        "served": entry.served,
        "objective_iqm": objective.value,
        "objective_low": objective.low,
        "objective_high": objective.high,
        **{key: _mean([row[key] for row in entry.rows]) for key in MEANS},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def cells(comparison: Comparison) -> list[list[str]]:
    """The ranking as text: headings, units, and a line for each entry."""
    units = [column.unit.format(currency=comparison.figures["currency"]) for column in COLUMNS]
    lines = [[column.heading for column in COLUMNS], units]
    for found in records(comparison):
        *others, service = (column.cell(found) for column in COLUMNS)
        lines.append([*others, service if found["served"] else f"{service}!"])
    return lines


def improvements(comparison: Comparison) -> list[list[str]]:
    """The probability that a seed of an agent (column) costs less than another controller (line) on the same year."""
    agents = [entry.standing for entry in comparison.entries if entry.kind == "agent"]
    found = {(agent.controller, one.over): one.probability for agent in agents for one in agent.improvements}
    lines = [["probability of improvement over", *(agent.controller for agent in agents)]]
    for entry in comparison.entries:
        lines.append([entry.name, *(_probability(found.get((agent.controller, entry.name))) for agent in agents)])
    return lines


def _probability(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    interval = "" if estimate.low is None else f" ({estimate.low:.2f} to {estimate.high:.2f})"
    return f"{estimate.value:.2f}{interval}"


def text(comparison: Comparison) -> str:
    """Lay a comparison out for the terminal."""
    sections = [
        [title(comparison.figures)],
        textwrap.wrap(comparison.advice, WIDTH),
        [*align(cells(comparison)), *_notes(comparison, WIDTH)],
        ladder_lines(comparison.figures),
    ]
    if any(entry.kind == "agent" for entry in comparison.entries):
        sections.append(align(improvements(comparison)))
    return "\n\n".join("\n".join(lines) for lines in sections)


def _notes(comparison: Comparison, width: int) -> list[str]:
    flagged = [] if all(entry.served for entry in comparison.entries) else [FLAG]
    return [line for note in [*flagged, NOTE] for line in textwrap.wrap(note, width)]


def as_csv(comparison: Comparison) -> str:
    """The records, figures in full precision, empty where there is none."""
    rows = records(comparison)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def as_markdown(comparison: Comparison) -> str:
    """The title, the advice, the ranking, and the probabilities of improvement."""
    headings, units, *lines = cells(comparison)
    ranking = markdown([_with_units(headings, units), *lines])
    chances = markdown(improvements(comparison))
    parts = [f"# {title(comparison.figures)}", comparison.advice, ranking, *_notes(comparison, 10_000), chances]
    return "\n\n".join(parts) + "\n"


def markdown(lines: list[list[str]]) -> str:
    """Lay lines out as a Markdown table, the first one its head."""
    head, *body = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body])


def as_latex(comparison: Comparison) -> str:
    """The ranking as a ``tabular`` of the package booktabs."""
    headings, units, *lines = [[_escaped(cell) for cell in line] for line in cells(comparison)]
    rows = [r"\toprule", _latex(headings), _latex(units), r"\midrule", *map(_latex, lines), r"\bottomrule"]
    body = "\n".join([rf"\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}", *rows, r"\end{tabular}"])
    return f"% {title(comparison.figures)}; needs the package booktabs\n{body}\n"


def _latex(line: Sequence[str]) -> str:
    return " & ".join(line) + r" \\"


def _escaped(cell: str) -> str:
    return cell.translate(LATEX)


LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{character: rf"\{character}" for character in "&%$#_{}"},
    }
)
"""Characters that mean something to LaTeX."""


def _with_units(headings: Sequence[str], units: Sequence[str]) -> list[str]:
    return [f"{heading}, {unit}" if unit else heading for heading, unit in zip(headings, units, strict=True)]

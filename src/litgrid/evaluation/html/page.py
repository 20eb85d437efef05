"""The page: figures and pictures put into the template."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from litgrid.algorithms.files import write_whole
from litgrid.evaluation.comparison import Comparison
from litgrid.evaluation.html import ranking
from litgrid.evaluation.html.departures import WIDTH, departures
from litgrid.evaluation.html.pictures import pictures
from litgrid.evaluation.html.waterfall import waterfall
from litgrid.evaluation.ladder import Rung
from litgrid.evaluation.report import LOWEST_SERVICE, rung_name

PACKAGES = ("litgrid", "torch", "torchrl", "lightning", "numpy", "scipy", "pandas")
TEMPLATE = "page.html"
DAYS = 7
MINUS, DASH = "\u2212", "\u2013"


def write(comparison: Comparison, path: Path) -> None:
    """Write a comparison as one HTML file that loads nothing else.

    Args:
        comparison: of controllers on the same years.
        path: of the file, written whole or not at all.
    """
    write_whole(path, render(comparison).encode())


def render(comparison: Comparison) -> str:
    """Fill the template; whatever is not part of it, such as names of runs, is escaped."""
    environment = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "tonnes": tonnes}
    return environment.get_template(TEMPLATE).render(**_content(comparison), asset=asset)


def _content(comparison: Comparison) -> dict[str, Any]:
    """What the template shows."""
    figures, entries = comparison.figures, comparison.entries
    described, block = pictures(comparison)
    days = comparison.scenarios.steps // comparison.scenarios.site.steps_per_day
    return {
        "comparison": comparison,
        "figures": figures,
        "entries": entries,
        "currency": figures["currency"],
        "lowest_service": LOWEST_SERVICE,
        "ranking": ranking.ranking(entries),
        "columns": ranking.COLUMNS,
        "cells": ranking.cells,
        "falls": waterfall(figures["ladder"]),
        "rungs": [*figures["ladder"], *others(figures)],
        "rung_name": rung_name,
        "departures": [found for found in map(departures, entries) if found is not None],
        "bin_width": WIDTH,
        "runs": list(dict.fromkeys(name for one in comparison.differences for name in one.values)),
        "runs_compared": sum(len(entry.runs) for entry in entries),
        "setting": setting,
        "described": described,
        "block": block,
        "names": [controller["name"] for controller in described["controllers"]],
        "years": [f"{year + 1} of {len(comparison.scenarios)}" for year in range(len(comparison.scenarios))],
        "weeks": max(1, days // DAYS),
        "made": made(),
    }


def others(figures: dict[str, Any]) -> list[Rung]:
    """The last rungs of the ladders that are not drawn: of agents after the first."""
    return [ladder[-1] for ladder in figures["ladders"].values() if ladder[-1] != figures["ladder"][-1]]


def made() -> dict[str, str]:
    """When, where and with what the page was made."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def asset(name: str) -> Markup:
    """A style sheet or script of this package, as it is."""
    return Markup(resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8"))


def number(value: float | None, decimals: int = 0) -> str:
    """A number with separators between thousands; a dash where there is none."""
    return DASH if value is None else f"{value:z,.{decimals}f}".replace("-", MINUS)


def percent(value: float | None, decimals: int = 1) -> str:
    """A share as percent."""
    return number(None if value is None else 100.0 * value, decimals)


def setting(value: object) -> str:
    """The value of a setting as in its file, in a line."""
    return value if isinstance(value, str) else json.dumps(value)


def tonnes(kg: float, signed: bool = False) -> str:
    """A mass in tonnes."""
    sign = "+" if signed and kg > 0 else ""
    return sign + number(kg / 1000.0, 1)

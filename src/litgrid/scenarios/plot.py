"""A week of a scenario as a picture: PV, load and vehicles, connected vehicles, irradiance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.scenarios.summary import charging_kw, connected
from litgrid.site.calendar import MONTH_DAYS, weekday_of_step
from litgrid.site.site import DAYS_PER_YEAR, HOURS_PER_DAY, WEEKDAYS, Site

Array = NDArray[Any]

DAYS = 7
WEEKS = DAYS_PER_YEAR // DAYS
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Okabe and Ito's colours, which the colour-blind can tell apart
GREY, ORANGE, SKY, GREEN = "#c4c4c4", "#e69f00", "#56b4e9", "#009e73"
BLUE, RED, PURPLE = "#0072b2", "#d55e00", "#cc79a7"


def check(number: int, path: Path) -> None:
    """Check what a user asked to be drawn.

    Raises:
        InputError: there is no such week or folder, or the picture is no PNG.
    """
    if not 1 <= number <= WEEKS:
        raise InputError(f"--week: found {number}, expected 1 to {WEEKS}")
    if path.suffix != ".png" or not path.parent.is_dir():
        raise InputError(f"--plot: found {path}, expected a name that ends in .png, in a folder that exists")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    part = path.with_name(path.name + ".part")
    figure.savefig(part, format="png", dpi=110)
    part.replace(path)


def mark_days(axes: Sequence[Axes], site: Site, number: int) -> None:
    """Mark midnights on axes in hours since the week began, and name the days between them.

    Args:
        axes: one below the other.
        site: whose calendar it is.
        number: of the week, from 1 (1 to 7 January).
    """
    names = []
    for day in range((number - 1) * DAYS, number * DAYS):
        month = int(np.searchsorted(np.cumsum(MONTH_DAYS), day, side="right"))
        weekday = WEEKDAYS[weekday_of_step(site)[day * site.steps_per_day]]
        names.append(f"{weekday[:3].title()} {day - sum(MONTH_DAYS[:month]) + 1} {MONTHS[month]}")
    axes[-1].set_xlim(0, DAYS * HOURS_PER_DAY)
    axes[-1].set_xticks([HOURS_PER_DAY * (day + 0.5) for day in range(DAYS)], labels=names)
    axes[-1].tick_params(axis="x", length=0)
    for panel in axes:
        for day in range(1, DAYS):
            panel.axvline(HOURS_PER_DAY * day, color="black", linewidth=0.5, alpha=0.3)


def draw(scenarios: ScenarioSet, year: int, number: int) -> Figure:
    """Draw a week of one year.

    Args:
        scenarios: the scenario set.
        year: number of the scenario in it.
        number: of the week, from 1 (1 to 7 January).
    """
    site = scenarios.site
    rows = (number - 1) * DAYS * site.steps_per_day + np.arange(DAYS * site.steps_per_day)
    hours = np.arange(len(rows) + 1) * site.step_hours

    def steps(values: Array) -> Array:
        shown: Array = values[np.append(rows, rows[-1])]  # the last step's value, up to its end
        return shown

    def series(key: str) -> Array:
        return steps(scenarios.series[key][year].numpy())

    figure = Figure(figsize=(12, 8), layout="constrained")
    power, vehicles, sun = figure.subplots(3, sharex=True, height_ratios=[2.4, 1, 1])
    load_kw, text = series("load_kw"), "vehicles, charged at once"
    used_kw = load_kw + steps(charging_kw(scenarios, year))
    power.fill_between(hours, load_kw, step="post", color=GREY, linewidth=0, label="building")
    power.fill_between(hours, load_kw, used_kw, step="post", color=GREEN, linewidth=0, label=text)
    power.step(hours, series("pv_kw"), where="post", color=ORANGE, label="PV")
    power.set_ylabel("power, kW")
    vehicles.fill_between(hours, steps(connected(scenarios, year)), step="post", color=GREEN, alpha=0.5, linewidth=0)
    vehicles.set_ylim(0, 1.05 * max(1, site.fleet.sockets))
    vehicles.set_ylabel(f"vehicles at\n{site.fleet.sockets} sockets")
    sun.fill_between(hours, series("ghi_w_per_m2"), step="post", color=SKY, alpha=0.7, linewidth=0)
    sun.set_ylabel("horizontal\nirradiance, W/m²")
    for panel in (power, sun):
        panel.set_ylim(bottom=0)
    mark_days([power, vehicles, sun], site, number)
    power.set_title(f"{site.name}, {scenarios.split} year {year}, week {number}", loc="left", fontweight="bold")
    figure.legend(*power.get_legend_handles_labels(), loc="outside upper right", ncols=3, frameon=False)
    return figure

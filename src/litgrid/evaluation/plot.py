"""A week of several controllers, one below the other: what the site uses, where it comes from, and the battery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.evaluation.rollout import Rollout, label
from litgrid.site.calendar import MONTH_DAYS, weekday_of_step
from litgrid.site.site import DAYS_PER_YEAR, HOURS_PER_DAY, WEEKDAYS, Site

Array = NDArray[Any]

DAYS = 7
WEEKS = DAYS_PER_YEAR // DAYS
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Okabe and Ito's colours, which the colour-blind can tell apart
GREY, ORANGE, SKY, GREEN = "#c4c4c4", "#e69f00", "#56b4e9", "#009e73"
BLUE, RED, PURPLE = "#0072b2", "#d55e00", "#cc79a7"
USES = {"load": ("building", GREY), "ev": ("vehicles", GREEN), "bess_charge": ("battery charges", SKY)}


def week(rollouts: Sequence[Rollout], number: int, path: Path, year: int = 0) -> None:
    """Draw a week of every rollout into a PNG file, which is written whole or not at all.

    Args:
        rollouts: of the same years.
        number: of the week, from 1 (1 to 7 January).
        path: of the file.
        year: number of the scenario.
    """
    part = path.with_name(path.name + ".part")
    draw(rollouts, number, year).savefig(part, format="png", dpi=110)
    part.replace(path)


def check(number: int, path: Path) -> None:
    """Check what a user asked to be drawn.

    Raises:
        InputError: there is no such week or folder, or the picture is no PNG.
    """
    if not 1 <= number <= WEEKS:
        raise InputError(f"--week: found {number}, expected 1 to {WEEKS}")
    if path.suffix != ".png" or not path.parent.is_dir():
        raise InputError(f"--plot: found {path}, expected a name that ends in .png, in a folder that exists")


def draw(rollouts: Sequence[Rollout], number: int, year: int = 0) -> Figure:
    """Draw a week of every rollout: a panel of power, and one of SOC and price, for each."""
    site = rollouts[0].scenarios.site
    first = (number - 1) * DAYS * site.steps_per_day
    steps = np.arange(first, first + DAYS * site.steps_per_day + 1)  # and the start of the step after
    figure = Figure(figsize=(12, 1.0 + 3.2 * len(rollouts)), layout="constrained")
    ratios = [2.6, 1.0] * len(rollouts)
    axes = figure.subplots(len(ratios), sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    ranges = [_power(panel, run, year, steps) for run, panel in zip(rollouts, axes[::2], strict=True)]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    for run, power, battery in zip(rollouts, axes[::2], axes[1::2], strict=True):
        power.set_ylim(1.08 * low, 1.08 * high)
        _battery(battery, run, year, steps)
    _days(list(axes), site, number)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return figure


def _hours(steps: Array, site: Site) -> Array:
    """Hours since the week began."""
    hours: Array = (steps - steps[0]) * site.step_hours
    return hours


def _power(axes: Axes, run: Rollout, year: int, steps: Array) -> tuple[float, float]:
    """Draw mean powers; return the range to show: all that the site uses, not all that PV exports."""
    site = run.scenarios.site
    hours = _hours(steps, site)
    rows = np.append(steps[:-1], steps[-2])  # the last step's value, up to its end

    def kw(name: str) -> Array:
        energy: Array = getattr(run.flows, name)[year].cpu().numpy()[rows]
        return energy / site.step_hours

    used = np.zeros(len(rows))
    for name, (text, color) in USES.items():
        axes.fill_between(hours, used, used + kw(name), step="post", color=color, label=text, linewidth=0)
        used = used + kw(name)
    axes.fill_between(hours, -kw("bess_discharge"), step="post", color=BLUE, label="battery discharges", linewidth=0)
    axes.step(hours, kw("pv"), where="post", color=ORANGE, linewidth=1.5, label=f"PV (up to {kw('pv').max():,.0f} kW)")
    axes.step(hours, kw("grid_import"), where="post", color=RED, linewidth=1.5, label="import")
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_ylabel("kW")
    axes.set_title(label(run.controller, run.seed), loc="left", fontsize="medium", fontweight="bold")
    return -float(kw("bess_discharge").max()), float(max(used.max(), kw("grid_import").max()))


def _battery(axes: Axes, run: Rollout, year: int, steps: Array) -> None:
    site, series = run.scenarios.site, run.scenarios.series
    hours = _hours(steps, site)
    axes.plot(hours, 100.0 * run.bess_soc[year].cpu().numpy()[steps], color=BLUE)
    axes.set_ylim(0, 105)
    axes.set_ylabel("SOC, %", color=BLUE)
    price = axes.twinx()
    price_per_kwh = series["price_per_kwh"][year].cpu().numpy()[np.append(steps[:-1], steps[-2])]
    price.fill_between(hours, price_per_kwh, step="post", color=PURPLE, alpha=0.25, linewidth=0)
    price.set_ylim(0, 1.15 * price_per_kwh.max())
    price.set_ylabel(f"{site.tariff.currency}/kWh", color=PURPLE)


def _days(axes: Sequence[Axes], site: Site, number: int) -> None:
    """Mark midnights, and name the days between them."""
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

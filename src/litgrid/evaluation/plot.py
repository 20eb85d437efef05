"""A week of several controllers, one below the other: what the site uses, where it comes from, and the battery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from litgrid.evaluation.rollout import Rollout, label
from litgrid.scenarios.plot import BLUE, DAYS, GREEN, GREY, ORANGE, PURPLE, RED, SKY, check, mark_days, save
from litgrid.site.site import Site

Array = NDArray[Any]

__all__ = ["check", "draw", "week"]

USES = {"load": ("building", GREY), "ev": ("vehicles", GREEN), "bess_charge": ("battery charges", SKY)}


def week(rollouts: Sequence[Rollout], number: int, path: Path, year: int = 0) -> None:
    """Draw a week of every rollout into a PNG file, which is written whole or not at all.

    Args:
        rollouts: of the same years.
        number: of the week, from 1 (1 to 7 January).
        path: of the file.
        year: number of the scenario.
    """
    save(draw(rollouts, number, year), path)


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
    mark_days(list(axes), site, number)
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

"""How the algorithms of a site learn: the validation objective against minutes, beside rules and the optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from litgrid.evaluation.comparison import Curve
from litgrid.evaluation.statistics import interquartile_mean
from litgrid.scenarios.plot import BLUE, GREEN, ORANGE, PURPLE, RED, SKY

COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, "#777777")
STYLES = ("--", ":", "-.")


def draw(title: str, currency: str, curves: Mapping[str, Sequence[Curve]], references: Mapping[str, float]) -> Figure:
    """Draw a thin line for every seed, a thick one for their interquartile mean, and what they are measured by.

    Args:
        title: of the figure.
        currency: of the objective.
        curves: algorithm -> a curve for each seed.
        references: rule or optimum -> its validation objective.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes: Axes = figure.subplots()
    for (name, runs), colour in zip(curves.items(), cycle(COLOURS), strict=False):
        _algorithm(axes, name, [run for run in runs if len(run.minutes)], colour)
    for (name, value), style in zip(references.items(), cycle(STYLES), strict=False):
        axes.axhline(value, color="black", linestyle=style, linewidth=1.0, label=name)
    axes.set_xlim(left=0)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel(f"objective of a validation year, {currency}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _algorithm(axes: Axes, name: str, runs: Sequence[Curve], colour: str) -> None:
    for run in runs:
        axes.plot(run.minutes, run.objective, color=colour, linewidth=0.7, alpha=0.5)
    if not runs:
        return
    common = min(len(run.minutes) for run in runs)  # validations that every seed has
    minutes = np.mean([run.minutes[:common] for run in runs], axis=0)
    objective = interquartile_mean(np.array([run.objective[:common] for run in runs]).T[..., np.newaxis])
    text = f"{name} ({len(runs)} seed{'s' if len(runs) > 1 else ''})"
    axes.plot(minutes, objective, color=colour, linewidth=2.2, label=text)

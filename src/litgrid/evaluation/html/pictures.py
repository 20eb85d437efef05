"""What the page's scripts draw: the flows of every controller through all years, and how the agents learned."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np

from litgrid.evaluation.comparison import Comparison, Curve, Entry
from litgrid.evaluation.html.pack import Pack, Series
from litgrid.evaluation.rollout import Rollout, label
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.calendar import MONTH_DAYS, weekday_of_step

COLORS = 256
Json = dict[str, Any]


def pictures(comparison: Comparison) -> tuple[Json, str]:
    """Collect what the scripts draw.

    Returns:
        What it is, as plain data, and the block of numbers that it points into (``Pack``).
    """
    pack, scenarios = Pack(), comparison.scenarios
    shown = [typical(entry) for entry in comparison.entries]
    first = next((number for number, entry in enumerate(comparison.entries) if entry.kind != "bound"), 0)
    described = {
        "years": len(scenarios),
        "steps": scenarios.steps,
        "stepsPerDay": scenarios.site.steps_per_day,
        "stepHours": scenarios.site.step_hours,
        "weekday": int(weekday_of_step(scenarios.site)[0]),
        "monthDays": MONTH_DAYS,
        "currency": scenarios.site.tariff.currency,
        "common": _common(pack, scenarios),
        "controllers": [_controller(pack, run, name) for run, name in shown],
        "left": first,
        "right": min(first + 1, len(shown) - 1),
        "colors": _colors(pack),
        "references": comparison.figures.get("validation", {}),
        "agents": [_agent(entry) for entry in comparison.entries if entry.curves],
    }
    return described, pack.text()


def typical(entry: Entry) -> tuple[Rollout, str]:
    """The rollout that stands for a controller, of its median seed by objective (the better of two), and its name."""
    order = sorted(range(len(entry.rows)), key=lambda number: float(entry.rows[number]["objective_corrected"]))
    run = entry.rollouts[order[(len(order) - 1) // 2]]
    return run, label(entry.name, run.seed)


def _common(pack: Pack, scenarios: ScenarioSet) -> dict[str, Series]:
    """What no controller can change, [S, T]."""
    return {name: pack.add(scenarios.series[name].numpy()) for name in ("pv_kw", "load_kw", "price_per_kwh")}


def _controller(pack: Pack, run: Rollout, name: str) -> Json:
    """Mean powers of a controller, and its SOC at the start of every step, [S, T]."""
    flows, hours = run.flows, run.scenarios.site.step_hours
    kw = {
        "import_kw": flows.grid_import,
        "export_kw": flows.grid_export,
        "ev_kw": flows.ev,
        "charge_kw": flows.bess_charge,
        "discharge_kw": flows.bess_discharge,
    }
    series = {key: pack.add(energy.cpu().numpy() / hours) for key, energy in kw.items()}
    return {"name": name, **series, "soc": pack.add(run.bess_soc[:, :-1].cpu().numpy())}


def _colors(pack: Pack) -> Series:
    """Cividis, which reads alike with and without colour blindness: [256, 3] of 0 to 255."""
    rows = matplotlib.colormaps["cividis"](np.arange(COLORS), bytes=True)
    return pack.add(rows[:, :3])


def _agent(entry: Entry) -> Json:
    return {"name": entry.name, "curves": [_curve(curve) for curve in entry.curves]}


def _curve(curve: Curve) -> Json:
    """Points of a learning curve as plain numbers; null where the minutes of a run are not known."""
    return {
        "seed": curve.seed,
        "frames": [int(frames) for frames in curve.frames],
        "minutes": [round(float(value), 4) if np.isfinite(value) else None for value in curve.minutes],
        "objective": [float(f"{value:.6g}") for value in curve.objective],
    }

"""Yearly figures of a scenario set: what ``dataset build`` and ``dataset show`` report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litgrid.scenarios.forecast_errors import forecast_errors
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import DAYS_PER_YEAR
from litgrid.site.vehicles import Sessions, reachable_soc, required_kwh, socket_values

Array = NDArray[Any]

COLUMNS = {
    "split": ("split", ""),
    "year": ("year", "d"),
    "pv_kwh": ("PV, kWh", ",.0f"),
    "performance_ratio": ("PR", ".3f"),
    "ghi_kwh_per_m2": ("GHI, kWh/m2", ",.0f"),
    "load_kwh": ("load, kWh", ",.0f"),
    "load_peak_kw": ("peak, kW", ",.0f"),
    "ev_required_kwh_per_day": ("EV, kWh/day", ",.1f"),
    "ev_required_kwh": ("EV, kWh", ",.0f"),
    "ev_impossible_kwh": ("impossible, kWh", ",.1f"),
    "sessions": ("sessions", ",d"),
    "ev_stay_hours": ("mean stay, h", ".2f"),
    "pv_forecast_rmse_share": ("PV forecast", ".1%"),
    "load_forecast_mape": ("load forecast", ".1%"),
}
"""Column of the table: head and number format. Of the day-ahead forecasts it has RMSE (PV) and MAPE (load)."""


def figures(scenarios: ScenarioSet) -> list[dict[str, Any]]:
    """Figures of every year of a scenario set.

    Returns:
        For each year: ``split``, ``year`` (number in the split), ``pv_kwh``, ``performance_ratio`` (AC energy over
        that of the DC nameplate under the irradiation of the modules, IEC 61724-1; None without PV),
        ``ghi_kwh_per_m2``, ``load_kwh``, ``load_peak_kw``, ``ev_required_kwh`` (at the vehicles' batteries),
        ``ev_required_kwh_per_day``, ``ev_impossible_kwh`` (of it, what full power for the whole stay could not
        deliver), ``ev_stay_hours`` (mean), ``sessions``, and those of ``forecast_errors``.
    """
    return [_figures_of_year(scenarios, year) for year in range(len(scenarios))]


def _figures_of_year(scenarios: ScenarioSet, year: int) -> dict[str, Any]:
    site = scenarios.site
    series = {key: values[year].numpy().astype(float) for key, values in scenarios.series.items()}
    hours, came = site.step_hours, sessions_of_year(scenarios, year)
    pv_kwh, plane_kwh_per_m2 = series["pv_kw"].sum() * hours, series["poa_w_per_m2"].sum() * hours / 1000
    nominal_kwh = plane_kwh_per_m2 * site.pv.dc_kwp
    stay = came.departure - came.arrival
    reachable = np.maximum(came.soc_arrival, reachable_soc(site, came.socket, stay, came.soc_arrival))
    required = float(required_kwh(site, came).sum())
    missing = np.maximum(0.0, came.soc_required - reachable) * socket_values(site.fleet, "battery_kwh")[came.socket]
    return {
        "split": scenarios.split,
        "year": year,
        "pv_kwh": float(pv_kwh),
        "performance_ratio": float(pv_kwh / nominal_kwh) if nominal_kwh > 0 else None,
        "ghi_kwh_per_m2": float(series["ghi_w_per_m2"].sum() * hours / 1000),
        "load_kwh": float(series["load_kw"].sum() * hours),
        "load_peak_kw": float(series["load_kw"].max()),
        "ev_required_kwh": required,
        "ev_required_kwh_per_day": required / DAYS_PER_YEAR,
        "ev_impossible_kwh": float(missing.sum()),
        "ev_stay_hours": float(stay.mean() * hours) if len(stay) else None,
        "sessions": len(stay),
        **forecast_errors(site, series),
    }


def sessions_of_year(scenarios: ScenarioSet, year: int) -> Sessions:
    """Sessions of one year, without padding."""
    real = (scenarios.sessions["arrival"][year] < scenarios.steps).numpy()
    fields = {key: scenarios.sessions[key][year].numpy()[real] for key in Sessions._fields}
    whole = {key: fields.pop(key).astype(int) for key in ("socket", "arrival", "departure")}
    socs = {key: np.round(values.astype(float), 6) for key, values in fields.items()}  # as they were before float32
    return Sessions(**whole, **socs)


def charging_kw(scenarios: ScenarioSet, year: int) -> Array:
    """Power of all sockets where every vehicle charges at once and at full power up to what it requires, [T]."""
    site, came = scenarios.site, sessions_of_year(scenarios, year)
    power = socket_values(site.fleet, "power_kw")[came.socket]
    stored = power * socket_values(site.fleet, "efficiency_one_way")[came.socket] * site.step_hours
    stay = came.departure - came.arrival
    full_steps = np.minimum(stay, required_kwh(site, came) / stored)  # with a part of the last step
    elapsed = np.arange(stay.sum()) - np.repeat(np.cumsum(stay) - stay, stay)
    kw = np.repeat(power, stay) * np.clip(np.repeat(full_steps, stay) - elapsed, 0.0, 1.0)
    return np.bincount(np.repeat(came.arrival, stay) + elapsed, weights=kw, minlength=scenarios.steps)


def connected(scenarios: ScenarioSet, year: int) -> Array:
    """Number of connected vehicles, [T]."""
    came = sessions_of_year(scenarios, year)
    arrivals, departures = (
        np.bincount(steps, minlength=scenarios.steps + 1) for steps in (came.arrival, came.departure)
    )
    present: Array = np.cumsum(arrivals - departures)[:-1]
    return present


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures of years as a table with a line for each, and a line of units above."""
    cells = [[head for head, _ in COLUMNS.values()]]
    cells += [[_cell(row[key], spec) for key, (_, spec) in COLUMNS.items()] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def _cell(value: Any, spec: str) -> str:
    return "-" if value is None else format(value, spec)

"""Physical bounds of a scenario set, checked when it is built and whenever it is read."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.site.clock import LEAD_IN_DAYS
from litgrid.site.site import MAX_CARBON_KG_PER_KWH, Site
from litgrid.site.sky import DARK_DEG, sky

Array = NDArray[Any]

ROUNDING = 1e-6  # of float32
LIMITS = {
    "load_kw": (0.0, 1e6),
    "load_persistence_kw": (0.0, 1e6),
    "load_mean7_kw": (0.0, 1e6),
    "load_day_ahead_kw": (0.0, 1e6),
    "price_per_kwh": (0.0, 1e6),  # in any currency
    "carbon_kg_per_kwh": (0.0, MAX_CARBON_KG_PER_KWH),
    "ghi_w_per_m2": (0.0, 1600.0),  # the sun gives 1,412 W/m2 at most, and clouds' edges some more
    "poa_w_per_m2": (0.0, 2000.0),
    "temp_air_c": (-90.0, 60.0),
}
"""Lowest and highest value of each series; PV's limit is the site's."""


def check(scenarios: ScenarioSet) -> None:
    """Check a scenario set.

    Raises:
        InputError: a series is incomplete, not finite or out of its bounds; the sun shines at night; a session lies
            outside the year or the sockets, ends before it starts, overlaps another or has an impossible SOC.
    """
    site = scenarios.site
    if scenarios.steps != site.steps_per_year:
        _refuse(scenarios, f"found {scenarios.steps} rows, expected {site.steps_per_year}")
    missing = set(SERIES) - set(scenarios.series.keys())
    if missing:
        _refuse(scenarios, f"found no series {', '.join(sorted(missing))}, expected each of them")
    for key in SERIES:
        low, high = LIMITS.get(key, (0.0, site.pv.ac_kw))
        _check_series(scenarios, key, low, high * (1 + ROUNDING))
    _check_night(scenarios)
    _check_sessions(scenarios)


def _refuse(scenarios: ScenarioSet, message: str) -> NoReturn:
    raise InputError(f"{scenarios.split} scenarios of {scenarios.site.name}: {message}")


def _when(site: Site, row: int) -> str:
    hour = row % site.steps_per_day * site.step_hours
    return f"row {row} (day {row // site.steps_per_day + 1}, {int(hour):02d}:{round(hour % 1 * 60):02d})"


def _check_series(scenarios: ScenarioSet, key: str, low: float, high: float) -> None:
    values = scenarios.series[key].numpy()
    wrong = np.argwhere(~((values >= low) & (values <= high)))  # so that NaN is wrong, too
    if len(wrong):
        year, row = wrong[0]
        found = f"year {year}, {key}, {_when(scenarios.site, row)}: found {values[year, row]:g}"
        _refuse(scenarios, f"{found}, expected {low:g} to {high:g}")


def _check_night(scenarios: ScenarioSet) -> None:
    site = scenarios.site
    dark = sky(site).highest_elevation_deg[LEAD_IN_DAYS * site.steps_per_day :] < DARK_DEG
    for key in ("pv_kw", "pv_day_ahead_kw"):
        wrong = np.argwhere((scenarios.series[key].numpy() > ROUNDING * site.pv.ac_kw) & dark)
        if len(wrong):
            year, row = wrong[0]
            _refuse(scenarios, f"year {year}, {key}, {_when(site, row)}: found PV power at night, expected none")


def _check_sessions(scenarios: ScenarioSet) -> None:
    """Check sessions; padding, which has arrival = departure = T, is left out."""
    sessions = {key: values.numpy() for key, values in scenarios.sessions.items()}
    arrival, departure, last = sessions["arrival"], sessions["departure"], scenarios.steps
    real = ~((arrival == last) & (departure == last))
    socs = np.stack([sessions["soc_arrival"], sessions["soc_required"]])
    sockets = scenarios.site.fleet.sockets
    rules = {
        f"a socket from 0 to {sockets - 1}": (sessions["socket"] >= 0) & (sessions["socket"] < sockets),
        f"0 <= arrival < departure <= {last}": (arrival >= 0) & (arrival < departure) & (departure <= last),
        "SOCs from 0 to 1": ((socs >= 0) & (socs <= 1)).all(axis=0),
        "the order of arrival": np.diff(arrival, prepend=0, axis=1) >= 0,
        "no other vehicle at its socket": ~_overlaps(sessions),
    }
    for expected, holds in rules.items():
        wrong = np.argwhere(~holds & real)
        if len(wrong):
            year, session = wrong[0]
            found = ", ".join(f"{key} {values[year, session]:g}" for key, values in sessions.items())
            _refuse(scenarios, f"year {year}, session {session}: found {found}; expected {expected}")


def _overlaps(sessions: dict[str, Array]) -> Array:
    """Whether a session starts before the one before it at the same socket has ended, [S, M]."""
    overlaps = np.zeros(sessions["socket"].shape, dtype=bool)
    for year, (socket, arrival, departure) in enumerate(
        zip(sessions["socket"], sessions["arrival"], sessions["departure"], strict=True)
    ):
        order = np.lexsort((arrival, socket))
        later, earlier = order[1:], order[:-1]
        overlaps[year, later] = (socket[later] == socket[earlier]) & (arrival[later] < departure[earlier])
    return overlaps

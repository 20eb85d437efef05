"""Do the splits of a site share a day? Days that occur on both sides make any learner look better than it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from litgrid.scenarios.scenario_set import ScenarioSet, Split

QUANTITIES = {
    "load": ("load_kw", "load_persistence_kw"),
    "PV": ("pv_kw", "pv_persistence_kw"),
    "irradiance": ("ghi_w_per_m2",),
    "air temperature": ("temp_air_c",),
    "day-ahead forecast of the load": ("load_day_ahead_kw",),
    "day-ahead forecast of PV": ("pv_day_ahead_kw",),
}
"""What is compared, and the series that hold it: yesterday's values reach back to the days before a year."""
SESSIONS = "vehicle sessions"


@dataclass(frozen=True)
class Leak:
    """Days of one quantity.

    Attributes:
        quantity: of ``QUANTITIES``, or the sessions.
        days: split -> how many different days it has.
        shared: how many of them occur in more than one split.
    """

    quantity: str
    days: dict[str, int]
    shared: int


def leaks(splits: Mapping[Split, ScenarioSet]) -> list[Leak]:
    """Compare the days of splits, value by value.

    A real day that a measured file gave to two splits is found, whatever years it was put into: load and air
    temperature are taken over as they are. Days on which nothing changes (no vehicle, a meter that failed) tell
    nothing and are left out.

    Args:
        splits: years of one site.
    """
    found = {name: {split: _days(years, keys) for split, years in splits.items()} for name, keys in QUANTITIES.items()}
    found[SESSIONS] = {split: _session_days(years) for split, years in splits.items()}
    return [_leak(quantity, days) for quantity, days in found.items()]


def _leak(quantity: str, days: Mapping[Split, set[bytes]]) -> Leak:
    distinct: set[bytes] = set().union(*days.values())
    counts = {str(split): len(one) for split, one in days.items()}
    return Leak(quantity, counts, sum(sum(day in one for one in days.values()) > 1 for day in distinct))


def _days(years: ScenarioSet, keys: tuple[str, ...]) -> set[bytes]:
    steps = years.site.steps_per_day
    days = np.concatenate([years.series[key].numpy().reshape(-1, steps) for key in keys])
    return {day.tobytes() for day in days[np.ptp(days, axis=1) > 0]}


def _session_days(years: ScenarioSet) -> set[bytes]:
    """The days' sessions: when in the day a vehicle comes, for how long, where, and its SOCs."""
    steps, found = years.site.steps_per_day, set()
    for year in range(len(years)):
        table = {key: values[year].numpy() for key, values in years.sessions.items()}
        arrival, stay = table["arrival"], table["departure"] - table["arrival"]
        columns = (arrival % steps, stay, table["socket"], table["soc_arrival"], table["soc_required"])
        rows = np.stack([column.astype(np.float64) for column in columns], -1)[stay > 0]
        day = arrival[stay > 0] // steps
        found |= {part.tobytes() for part in np.split(rows, np.flatnonzero(np.diff(day)) + 1) if len(part)}
    return found

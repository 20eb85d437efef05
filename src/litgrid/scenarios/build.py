"""Build the years of one split: weather, PV, load, prices, carbon, forecasts and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from litgrid.scenarios.check import check
from litgrid.scenarios.scenario_set import SPLITS, ScenarioSet, Split
from litgrid.site import forecasts, load, solar, tariff, vehicles, weather
from litgrid.site.clock import LEAD_IN_DAYS
from litgrid.site.site import Site

Array = NDArray[Any]

PURPOSES = ("weather", "load", "sessions", "forecasts")
"""A purpose's place in this list is part of its stream: new ones are added at the end."""


def build(site: Site, split: Split) -> ScenarioSet:
    """Build all years of a split. The same site and split always give the same data.

    Years are drawn one after the other from streams of their own split and purpose: more years leave those before them
    as they are, and no two splits share a draw.

    Raises:
        InputError: the site or a file that it names is wrong, or what it gives is physically impossible.
    """
    count: int = getattr(site.years, split)
    weathers = weather.years(site, split, count, stream(site, split, "weather"))
    loads = load.years(site, split, count, stream(site, split, "load"))
    errors = stream(site, split, "forecasts")
    years = [_series(site, *drawn, errors) for drawn in zip(weathers, loads, strict=True)]
    tensors = {key: torch.from_numpy(np.stack([year[key] for year in years])).float() for key in years[0]}
    rng = stream(site, split, "sessions")
    scenarios = ScenarioSet(
        site=site,
        split=split,
        series=TensorDict(tensors, batch_size=(count, site.steps_per_year)),
        sessions=stack_sessions([vehicles.sessions(site, rng) for _ in range(count)], site.steps_per_year),
    )
    check(scenarios)
    return scenarios


def stream(site: Site, split: Split, purpose: str) -> np.random.Generator:
    """Random numbers of a split for one of ``PURPOSES``, independent of all others."""
    key = (SPLITS.index(split), PURPOSES.index(purpose))
    return np.random.default_rng(np.random.SeedSequence(site.seed, spawn_key=key))


def _series(site: Site, sky: pd.DataFrame, load_kw: Array, errors: np.random.Generator) -> dict[str, Array]:
    """All series of one year, [T] each, from weather and load that begin with the lead-in days."""
    pv_kw = solar.ac_power_kw(site, sky)
    start, per_day = LEAD_IN_DAYS * site.steps_per_day, site.steps_per_day
    return {
        "pv_kw": pv_kw[start:],
        "load_kw": load_kw[start:],
        "price_per_kwh": tariff.price_per_kwh(site),
        "carbon_kg_per_kwh": tariff.carbon_kg_per_kwh(site),
        "pv_persistence_kw": persistence(pv_kw, per_day),
        "pv_mean7_kw": mean7(pv_kw, per_day),
        "load_persistence_kw": persistence(load_kw, per_day),
        "load_mean7_kw": mean7(load_kw, per_day),
        "pv_day_ahead_kw": forecasts.pv_kw(site, pv_kw[start:], solar.clear_power_kw(site, sky)[start:], errors),
        "load_day_ahead_kw": forecasts.load_kw(site, load_kw[start:], errors),
        "ghi_w_per_m2": sky["ghi_w_per_m2"].to_numpy()[start:],
        "poa_w_per_m2": solar.plane_of_array_w_per_m2(site, sky)[start:],
        "temp_air_c": sky["temp_air_c"].to_numpy()[start:],
    }


def persistence(values: Array, steps_per_day: int) -> Array:
    """Forecast: the same time of the day before.

    Args:
        values: [(7 + days) x steps_per_day], beginning with the seven lead-in days.
        steps_per_day: steps in a day.

    Returns:
        [days x steps_per_day], without the lead-in days.
    """
    return values[(LEAD_IN_DAYS - 1) * steps_per_day : -steps_per_day]


def mean7(values: Array, steps_per_day: int) -> Array:
    """Forecast: mean of the same time of the seven days before; arguments and shapes as in ``persistence``."""
    days = values.reshape(-1, steps_per_day)
    weeks = np.lib.stride_tricks.sliding_window_view(days[:-1], LEAD_IN_DAYS, axis=0)
    means: Array = weeks.mean(axis=-1).ravel()
    return means


def stack_sessions(years: Sequence[vehicles.Sessions], steps: int) -> TensorDict:
    """Stack the sessions of S years to [S, M] as in ``scenario_set.SESSION``, padded at the end.

    Args:
        years: sessions of each year.
        steps: of a year, T.
    """
    longest = max(1, *(len(year.socket) for year in years))  # at least one, since an empty file can't be mapped
    padding = {"arrival": steps, "departure": steps}
    dtypes = {"socket": torch.int16, "arrival": torch.int32, "departure": torch.int32}

    def stack(key: str) -> torch.Tensor:
        rows = [getattr(year, key) for year in years]
        padded = [np.pad(row, (0, longest - len(row)), constant_values=padding.get(key, 0)) for row in rows]
        return torch.from_numpy(np.stack(padded)).to(dtypes.get(key, torch.float32))

    tensors = {key: stack(key) for key in vehicles.Sessions._fields}
    return TensorDict(tensors, batch_size=(len(years), longest))

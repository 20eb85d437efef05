"""What an agent observes of a district that no action changes: a table of all rows, so that a step reads one.

Features are scaled to order 1 by constants of the data set, its largest values, whatever the split. Forecasts cover 24
hours from the present step on and use nothing later than the day before: the same hour of it (persistence), or the mean
of that hour in up to seven days. Before there was a day, they are 0.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.scenarios.district import District
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.observations import circle
from litgrid.site.series import SECONDS_PER_DAY
from litgrid.site.site import HOURS_PER_DAY

FEATURES = {
    "hour_sin": "hour of the day",
    "hour_cos": "",
    "weekday_sin": "day of the week; a special day counts as Sunday",
    "weekday_cos": "",
    "special_day": "1 on it",
    "season_sin": "month of the year",
    "season_cos": "",
    "load": "load / its largest, a column for each building",
    "pv": "PV / its largest, likewise",
    "net": "(load - PV) / the larger of the two, likewise",
    "outage": "1 in one, likewise; none where the data know no outage",
    "price": "energy price / the highest; a column for each building, one where all pay the same",
    "carbon": "carbon intensity / the highest; likewise",
    "price_persistence": "forecast of the buildings' mean price, each hour",
    "carbon_persistence": "forecast of the carbon intensity, 3-hour means",
    "load_mean7": "forecast of the district's load, each hour",
    "pv_mean7": "forecast of the district's PV, each hour",
}
"""Features of a row, in blocks of one or more columns."""
FORECASTS = {
    "price_persistence": ("price", 1, 24),
    "carbon_persistence": ("carbon", 1, 8),
    "load_mean7": ("load", 7, 24),
    "pv_mean7": ("pv", 7, 24),
}
"""What is forecast, the days whose mean it is, and columns for the 24 hours (fewer where a step is longer)."""


class Scales(NamedTuple):
    """The largest values of a data set, 1 where there are none."""

    load_kwh: Tensor
    """[M] in a step."""
    pv_kwh: Tensor
    """[M] in a step."""
    price_per_kwh: Tensor
    """[1]"""
    carbon_kg_per_kwh: Tensor
    """[1]"""
    charger_kw: Tensor
    """[1]"""
    vehicle_kwh: Tensor
    """[1] capacity."""


def scales(district: District, device: torch.device, dtype: torch.dtype) -> Scales:
    """The constants of a data set."""

    def largest(values: list[float]) -> Tensor:
        return torch.tensor([max(values, default=0.0)], dtype=torch.float64)

    series = district.series
    found = Scales(
        load_kwh=series["load_kwh"].amax(0),
        pv_kwh=series["pv_kwh"].amax(0),
        price_per_kwh=series["price_per_kwh"].max().view(1),
        carbon_kg_per_kwh=series["carbon_kg_per_kwh"].max().view(1),
        charger_kw=largest([charger.max_charging_kw for charger in district.chargers]),
        vehicle_kwh=largest([vehicle.storage.capacity_kwh for vehicle in district.vehicles]),
    )
    return Scales(*(torch.where(value > 0.0, value, 1.0).to(device, dtype) for value in found))


def features(simulator: DistrictSimulator) -> Tensor:
    """The features of every row [T, F]."""
    blocks = _blocks(simulator.district)
    return torch.cat([blocks[key] for key in FEATURES], -1).to(simulator.device, simulator.dtype)


def columns(district: District) -> list[str]:
    """Name of every column; blocks of several columns are numbered."""
    blocks = _blocks(district)
    names = []
    for key in FEATURES:
        width = blocks[key].shape[-1]
        names += [key] if width == 1 else [f"{key}_{number}" for number in range(width)]
    return names


def _blocks(district: District) -> dict[str, Tensor]:
    """The features by name, [T, columns], float64."""
    series, scale = district.series, scales(district, torch.device("cpu"), torch.float64)
    load, pv = series["load_kwh"], series["pv_kwh"]
    price, carbon = series["price_per_kwh"] / scale.price_per_kwh, series["carbon_kg_per_kwh"] / scale.carbon_kg_per_kwh
    outage = series["outage"].double()
    district_wide = {
        "price": price.mean(-1),
        "carbon": carbon.mean(-1),
        "load": load.sum(-1) / scale.load_kwh.sum(),
        "pv": pv.sum(-1) / scale.pv_kwh.sum(),
    }
    return {
        **_calendar(district),
        "load": load / scale.load_kwh,
        "pv": pv / scale.pv_kwh,
        "net": (load - pv) / torch.maximum(scale.load_kwh, scale.pv_kwh),
        "outage": outage if bool(outage.any()) else outage[:, :0],
        "price": _once(price),
        "carbon": _once(carbon),
        **{key: _forecast(district_wide[of], days, count, district) for key, (of, days, count) in FORECASTS.items()},
    }


def _calendar(district: District) -> dict[str, Tensor]:
    clock = {key: value.double() for key, value in district.calendar.items()}
    special = clock["day_type"] > 7
    hour = circle((clock["hour"] + clock["minute"] / 60.0) / HOURS_PER_DAY)
    weekday = circle(clock["day_type"].clamp(max=7.0) / 7.0)
    season = circle(clock["month"] / 12.0)
    return {
        "hour_sin": hour[0],
        "hour_cos": hour[1],
        "weekday_sin": weekday[0],
        "weekday_cos": weekday[1],
        "special_day": special.double().unsqueeze(-1),
        "season_sin": season[0],
        "season_cos": season[1],
    }


def _once(values: Tensor) -> Tensor:
    """One column where all buildings have the same values."""
    return values[:, :1] if bool((values == values[:, :1]).all()) else values


def _forecast(values: Tensor, days: int, count: int, district: District) -> Tensor:
    """Forecast [T, columns] of the day from each row on: the mean of the same hour of up to so many days before."""
    rows, per_day = len(values), max(1, round(SECONDS_PER_DAY / district.step_seconds))
    total, known = (
        torch.stack([pad(part, (days * per_day, 0))[lag * per_day :][: rows + per_day] for lag in range(days)]).sum(0)
        for part in (values, torch.ones_like(values))
    )
    by_row = total / known.clamp(min=1.0)
    count = gcd(count, per_day)
    return by_row.unfold(0, per_day, 1)[:rows].reshape(rows, count, -1).mean(-1)

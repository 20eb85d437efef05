"""Years of weather at a site: generated under pvlib's clear sky, or resampled from the days of a measured file."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from litgrid.site import clouds
from litgrid.site.measured import weather_days
from litgrid.site.process import Array
from litgrid.site.resample import draw_days
from litgrid.site.series import MeasuredDays
from litgrid.site.site import Site
from litgrid.site.sky import sky
from litgrid.site.weather_files import COLUMNS

BRIGHTEST = 2.0
"""Highest factor by which a real day's irradiance is raised in a step, for the sun of the day it stands in for."""


def years(site: Site, split: str, count: int, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Draw years of weather.

    Args:
        site: whose weather it is.
        split: train, validation or test; measured days belong to one of them (``resample.split_days``), generated
            years share no day anyhow.
        count: of years.
        rng: of the draws; days are drawn without regard to those of the load.

    Returns:
        For each year a DataFrame with a row for each step of seven lead-in days (25 to 31 December) and of the
        year's 365 days, stamped with the step's start in local standard time; means over the step of ghi_w_per_m2,
        dni_w_per_m2, dhi_w_per_m2, temp_air_c, wind_speed_m_per_s.

    Raises:
        InputError: the site's figures or its measured file are wrong.
    """
    if site.weather.file is None:
        return [clouds.year(site, rng) for _ in range(count)]
    days = weather_days(site, site.weather.file)
    return [_resampled(site, days, split, rng) for _ in range(count)]


def _resampled(site: Site, days: MeasuredDays, split: str, rng: np.random.Generator) -> pd.DataFrame:
    """A year of blocks of real days, whose irradiance follows the sun of the days they stand in for."""
    stamps = sky(site).stamps
    calendar = stamps[:: site.steps_per_day]
    drawn = draw_days(days.dates, calendar, split, rng)
    values = days.values[drawn]
    clear = {key: series.reshape(len(calendar), -1) for key, series in sky(site).clear.items()}
    own = _calendar_rows(calendar, days.dates)[drawn]
    for column, key in enumerate(("ghi", "dni", "ghi")):  # diffuse light goes with the global
        values[..., column] *= _brighter(clear[key][own], clear[key])
    return pd.DataFrame(values.reshape(len(stamps), -1), index=stamps, columns=list(COLUMNS))


def _brighter(source: Array, target: Array) -> Array:
    """Clear-sky irradiance of the target's steps over the source's, where the source's says something."""
    ratio = np.divide(target, source, out=np.ones_like(target), where=source > 1)
    factor: Array = np.where(target > 0, np.minimum(ratio, BRIGHTEST), 0.0)
    return factor


def _calendar_rows(calendar: pd.DatetimeIndex, dates: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Row of the calendar's year with each date's month and day."""
    year = calendar[-1].year
    same = pd.to_datetime({"year": year, "month": dates.month, "day": dates.day}).dt.tz_localize(calendar.tz)
    rows: NDArray[np.int64] = calendar.get_indexer(pd.DatetimeIndex(same))
    return rows

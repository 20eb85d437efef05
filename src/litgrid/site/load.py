"""Years of a building's load: generated with a mall's shape, or resampled from the days of a measured file.

The generated load is a weekly profile under a level that drifts from day to day, with variations within the day, and
a few days a year on which the building stays shut. Profile and variations are those of a mall in Iquitos (2024, 15
minutes); any other yearly energy and peak is met by a power of that load, which keeps it positive and in shape.

The mall's year, beside 24 generated ones (hourly means):

    energy 18 to 23 h: mean, spread over days                      2,351; 206 kWh      2,416; 211 kWh
    its error by the mean of the seven days before (spread)        173 kWh             190 kWh
    daily energy: correlation after 1, 7, 28 days                  0.58, 0.30, 0.18    0.57, 0.29, 0.11
    without outages and holidays                                   0.74, 0.36, 0.27    0.70, 0.36, 0.14
    highest hour; 99 % quantile                                    695; 657 kW         695; 633 kW

The evening is made 3 % fuller than the mall's, and a little harder to forecast.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from litgrid.errors import InputError
from litgrid.site.clock import LEAD_IN_DAYS, time_stamps
from litgrid.site.measured import load_days
from litgrid.site.process import Array, ar1
from litgrid.site.resample import draw_days
from litgrid.site.site import Site
from litgrid.site.sky import SUBSTEP_SECONDS

# Load over the year's mean in each hour of the day: Monday to Thursday, Friday and Saturday, Sunday.
_WORKDAY = [0.36, 0.33, 0.32, 0.31, 0.31, 0.30, 0.39, 0.52, 0.68, 0.87, 1.32, 1.57]
_WORKDAY += [1.59, 1.60, 1.62, 1.61, 1.60, 1.58, 1.58, 1.57, 1.55, 1.42, 0.86, 0.43]
_FRIDAY = [0.37, 0.34, 0.33, 0.32, 0.32, 0.31, 0.38, 0.51, 0.67, 0.87, 1.34, 1.58]
_FRIDAY += [1.60, 1.62, 1.63, 1.64, 1.63, 1.61, 1.60, 1.59, 1.57, 1.49, 0.92, 0.45]
_SUNDAY = [0.37, 0.34, 0.34, 0.32, 0.32, 0.31, 0.35, 0.41, 0.56, 0.85, 1.36, 1.58]
_SUNDAY += [1.60, 1.61, 1.62, 1.58, 1.58, 1.58, 1.59, 1.58, 1.56, 1.43, 0.85, 0.44]
WEEK = np.array([*_WORKDAY * 4, *_FRIDAY * 2, *_SUNDAY])
# A closed day has the base, and a share of what is above it on other days.
CLOSED_BASE, CLOSED_SHARE = 0.32, 0.45
# The level drifts over weeks and varies from day to day; so do, over days, the hours of the night, of opening and of
# closing; and all hours vary by themselves. Correlations of neighbouring days or hours, and spreads.
SEASON_PERSISTENCE, SEASON_SPREAD = 0.98, 0.05
DAY_PERSISTENCE, DAY_SPREAD = 0.55, 0.045
SHAPE_PERSISTENCE, HOUR_PERSISTENCE = 0.9, 0.7
SHAPE_SPREAD = np.array([0.13] * 6 + [0.10] * 3 + [0.07, 0.03] + [0.0] * 10 + [0.03, 0.12, 0.12])
HOUR_SPREAD = np.array([0.10] * 6 + [0.09] * 3 + [0.07, 0.05] + [0.035] * 10 + [0.045, 0.12, 0.10])
REFERENCE_YEARS = 32


def years(site: Site, split: str, count: int, rng: np.random.Generator) -> list[Array]:
    """Draw years of load.

    Args:
        site: whose load it is.
        split: train, validation or test; measured days belong to one of them (``resample.split_days``), generated
            years share no day anyhow.
        count: of years.
        rng: of the draws; days are drawn without regard to those of the weather.

    Returns:
        For each year load_kw in each step of seven lead-in days (25 to 31 December) and of the year's 365 days,
        mean over the step.

    Raises:
        InputError: the site's figures or its measured file are wrong.
    """
    if site.load.file is None:
        power, scale_kw = _fit(site)
        return [scale_kw * _relative(site, rng) ** power for _ in range(count)]
    days, calendar = load_days(site, site.load.file), time_stamps(site)[:: site.steps_per_day]
    draws = (draw_days(days.dates, calendar, split, rng, weekdays=True) for _ in range(count))
    return [days.values[drawn].ravel() for drawn in draws]


def _relative(site: Site, rng: np.random.Generator) -> Array:
    """A year and its lead-in days of the mall's load over its mean, [372 x steps per day]."""
    stamps = time_stamps(site)
    days = len(stamps) // site.steps_per_day
    substeps = -(-site.step_seconds // SUBSTEP_SECONDS)
    per_day = site.steps_per_day * substeps
    hour = (np.arange(days * per_day) + 0.5) * 24 / per_day
    profile = _of_hour(WEEK, hour + 24 * stamps[0].weekday())
    season = ar1(days, SEASON_PERSISTENCE, rng) * SEASON_SPREAD
    season -= season[LEAD_IN_DAYS:].mean()  # a year keeps its energy
    level = season + ar1(days, DAY_PERSISTENCE, rng) * DAY_SPREAD
    shape = np.repeat(ar1(days, SHAPE_PERSISTENCE, rng), per_day) * _of_hour(SHAPE_SPREAD, hour)
    within = ar1(len(hour), HOUR_PERSISTENCE ** (24 / per_day), rng) * _of_hour(HOUR_SPREAD, hour)
    load = profile * np.exp(np.repeat(level, per_day) + shape + within)
    closed = np.repeat(rng.random(days) < site.load.closures_per_year / 365, per_day)
    load = np.where(closed, CLOSED_BASE + CLOSED_SHARE * np.maximum(load - CLOSED_BASE, 0), load)
    means: Array = load.reshape(-1, substeps).mean(axis=1)
    return means


def _of_hour(values: Array, hour: Array) -> Array:
    """Values of the hours of a day or a week, [24 or 168], at hours, with straight lines between."""
    interpolated: Array = np.interp(hour, np.arange(len(values)) + 0.5, values, period=len(values))
    return interpolated


def _fit(site: Site) -> tuple[float, float]:
    """Power and scale (kW) that give the relative load the site's mean yearly energy and mean yearly peak.

    Raises:
        InputError: the peak is too far above the mean for a load of this shape.
    """
    mean_kw = site.load.annual_kwh / (site.steps_per_year * site.step_hours)
    if mean_kw == 0:
        return 1.0, 0.0
    rng = np.random.default_rng(0)
    years = [_relative(site, rng)[LEAD_IN_DAYS * site.steps_per_day :] for _ in range(REFERENCE_YEARS)]
    reference = np.array(years)

    def excess(power: float) -> float:
        load = reference**power
        return float(load.max(axis=1).mean() / load.mean()) - site.load.peak_kw / mean_kw

    if excess(10.0) < 0:
        most = mean_kw * (excess(10.0) + site.load.peak_kw / mean_kw)
        raise InputError(f"site, load.peak_kw: found {site.load.peak_kw:g}, expected at most {most:.0f} kW")
    power = float(brentq(excess, 0.0, 10.0))
    return power, mean_kw / float((reference**power).mean())

"""A seeded model of clouds, temperature and wind under pvlib's clear sky, calibrated to a site's typical year.

The clearness of a day (its GHI over the clear sky's) follows a beta distribution about the month's mean, with some
persistence from day to day; within the day it wanders, more on days of broken cloud than on clear or grey ones, and
keeps the day's sum. Direct and diffuse light follow by Erbs et al. (1982).

Calibrated to a typical year of Iquitos (satellite data, hourly, read as means of the hour), which has, beside 24
generated years:

    quantiles of daily clearness, 5, 25, 50, 75, 95 %      0.42 0.60 0.71 0.82 0.92    0.40 0.59 0.72 0.82 0.93
    its spread within a month; correlation of two days     0.152; 0.25                 0.153; 0.26
    quantiles of hourly clearness, 5, 50, 95 %             0.31 0.72 0.99              0.32 0.71 1.00
    its spread within the day; correlation of two hours    0.132; 0.68                 0.132; 0.68
    hourly changes: spread; 50, 90, 99 % of their sizes    0.101; 0.06 0.17 0.29       0.102; 0.07 0.17 0.27
    temperature: range of a day, correlation with its sun  5.8 K; 0.83                 5.6 K; 0.6
    diffuse share of GHI                                   0.41                        0.61

So clouds, not the clearness of the sky between them, are modelled: its diffuse share is Erbs' own. A mean year's
irradiation is the site's; years differ by 1.6 % (standard deviation).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
from scipy.signal import lfilter
from scipy.stats import beta, norm

from litgrid.errors import InputError
from litgrid.site.process import Array, ar1
from litgrid.site.site import DAYS_PER_YEAR, Site
from litgrid.site.sky import Sky, sky

DAY_PERSISTENCE = 0.25  # correlation of neighbouring days' clearness
DAY_CONCENTRATION = 8.0  # of the beta distribution: variance = mean (1 - mean) / (concentration + 1)
HOUR_PERSISTENCE = 0.85  # correlation of clearness an hour apart, within a day
DARKEST, BRIGHTEST = 0.2, 1.1  # clearness within a day: share of the day's, and highest (broken clouds focus the sun)
HIGHEST_CLEARNESS = 0.95  # of a month
HEAT_HOURS = 2.5  # the air warms and cools with this time constant
HEAT_K_PER_W_PER_M2 = 0.0102  # the air's warming by past irradiance
TEMPERATURE_PERSISTENCE = 0.5  # of the days' own anomaly
TEMPERATURE_SPREAD_K = 0.6  # of the days' own anomaly
WIND_PERSISTENCE = 0.82  # correlation of wind an hour apart


def month_clearness(site: Site) -> Array:
    """Mean clearness of each month, [12]: the site's own, scaled so that the mean year has the site's irradiation.

    Raises:
        InputError: there is not so much sun at the site.
    """
    clear_kwh = _clear_month_kwh(sky(site))
    own, target = np.asarray(site.weather.monthly_clearness), site.weather.ghi_kwh_per_m2
    most = HIGHEST_CLEARNESS * clear_kwh.sum()
    if target > most:
        raise InputError(
            f"site, weather.ghi_kwh_per_m2: found {target:g}, expected at most {most:.0f}, "
            f"{HIGHEST_CLEARNESS:.0%} of the clear sky's at {site.location.latitude_deg:g} degrees north"
        )
    scaled = own
    for _ in range(50):  # months that reach the cap leave the rest to the others
        scaled = np.minimum(scaled * target / float(scaled @ clear_kwh), HIGHEST_CLEARNESS)
    return scaled


def _clear_month_kwh(clear_sky: Sky) -> Array:
    """The clear sky's GHI of each month in kWh/m2, [12]."""
    year = clear_sky.stamps[-1].year
    hours = (clear_sky.stamps[1] - clear_sky.stamps[0]) / pd.Timedelta(hours=1)
    inside = clear_sky.stamps.year == year
    months = clear_sky.stamps.month[inside] - 1
    sums: Array = np.bincount(months, clear_sky.clear["ghi"][inside], minlength=12) * hours / 1000
    return sums


def year(site: Site, rng: np.random.Generator) -> pd.DataFrame:
    """A year of weather and its lead-in days, as ``weather.years`` gives them."""
    above = sky(site)
    ghi = clearness(site, rng) * above.fine["ghi"].to_numpy()
    split = pvlib.irradiance.erbs(ghi, above.fine["zenith"], above.middles)
    temperature = _temperature(site, ghi, rng)
    wind = _wind(site, len(ghi), rng)
    columns = {
        "ghi_w_per_m2": ghi,
        "dni_w_per_m2": split["dni"],
        "dhi_w_per_m2": split["dhi"],
        "temp_air_c": temperature,
        "wind_speed_m_per_s": wind,
    }
    return pd.DataFrame({key: above.mean(values) for key, values in columns.items()}, index=above.stamps)


def clearness(site: Site, rng: np.random.Generator) -> Array:
    """GHI over clear-sky GHI at the sub-steps of a year and its lead-in days, [T x S]."""
    above = sky(site)
    substeps_per_day = site.steps_per_day * above.substeps
    clear = above.fine["ghi"].to_numpy().reshape(-1, substeps_per_day)
    month = above.stamps.month[:: site.steps_per_day] - 1
    mean = month_clearness(site)[month]
    chance = norm.cdf(ar1(len(mean), DAY_PERSISTENCE, rng))
    day = beta.ppf(chance, mean * DAY_CONCENTRATION, (1 - mean) * DAY_CONCENTRATION)[:, None]
    wander = ar1(clear.size, HOUR_PERSISTENCE ** (24 / substeps_per_day), rng).reshape(clear.shape)
    wander -= _day_mean(wander, clear)
    spread = 0.13 + 0.55 * day * (1 - day)
    shape = np.clip(day + spread * wander, DARKEST * day, BRIGHTEST)
    kept: Array = shape * day / _day_mean(shape, clear)
    return kept.ravel()


def _day_mean(values: Array, clear: Array) -> Array:
    """Mean of each day, weighted by the clear sky, [days, 1]; in the polar night, without weights."""
    weights = np.where(clear.sum(axis=1, keepdims=True) > 0, clear, 1.0)
    mean: Array = np.average(values, axis=1, weights=weights)[:, None]
    return mean


def _temperature(site: Site, ghi: Array, rng: np.random.Generator) -> Array:
    """Air temperature in degrees C at the sub-steps: the month's mean, heat of past sun, and the days' own anomaly."""
    above = sky(site)
    substeps_per_day = len(ghi) // (len(above.stamps) // site.steps_per_day)
    months = np.asarray(site.weather.temp_air_c)
    middle = (np.arange(12) + 0.5) * DAYS_PER_YEAR / 12
    day_of_year = np.asarray(above.middles.dayofyear) - 0.5
    seasonal = np.interp(day_of_year, middle, months, period=DAYS_PER_YEAR)
    heat = _heat(ghi, substeps_per_day)
    usual = _heat(month_clearness(site)[above.middles.month - 1] * above.fine["ghi"].to_numpy(), substeps_per_day)
    usual = pd.Series(usual).rolling(30 * substeps_per_day, center=True, min_periods=1).mean().to_numpy()
    days = ar1(len(ghi) // substeps_per_day, TEMPERATURE_PERSISTENCE, rng) * TEMPERATURE_SPREAD_K
    anomaly = np.interp(np.arange(len(ghi)), (np.arange(len(days)) + 0.5) * substeps_per_day, days)
    temperature: Array = seasonal + HEAT_K_PER_W_PER_M2 * (heat - usual) + anomaly
    return temperature


def _heat(ghi: Array, substeps_per_day: int) -> Array:
    """Past irradiance, fading with ``HEAT_HOURS``, in W/m2."""
    keep = np.exp(-24 / substeps_per_day / HEAT_HOURS)
    heat: Array = lfilter([1 - keep], [1.0, -keep], ghi)
    return heat


def _wind(site: Site, substeps: int, rng: np.random.Generator) -> Array:
    """Wind in m/s at the sub-steps: Rayleigh distributed (a Weibull of shape 2) about the site's mean."""
    per_hour = 3600 / site.step_seconds * sky(site).substeps
    chance = norm.sf(ar1(substeps, WIND_PERSISTENCE ** (1 / per_hour), rng))
    wind: Array = site.weather.wind_speed_m_per_s * 2 / np.sqrt(np.pi) * np.sqrt(-np.log(chance))
    return wind

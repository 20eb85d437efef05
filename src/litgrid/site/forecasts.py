"""Day-ahead forecasts of PV power and load, as good as such forecasts are in practice (``litgrid.site.site.Forecast``).

They stand for forecasts that are issued at 00:00 of the day before for a whole day, 24 to 48 hours ahead, and never
corrected. In a step of day D a site so has those of D (issued at 00:00 of D - 1) and of D + 1 (issued at 00:00 of D).
Whatever the step, the next 24 hours lie on these two days; that is how far controllers may read.

Everyone knows what is usual: the mean of a month about the day, at each time of the day. What a day has beyond that is
its level, and what its steps have beyond the level is its shape. Of both a forecast foresees a share s, not the rest:

    foreseen = s x unusual + sqrt(s (1 - s)) x spread x noise,    s = 1 - (RMSE / spread)^2

This has the site's RMSE, and what then comes is on average what was forecast: it varies less than the truth, as
forecasts do whose systematic errors were removed (the truth with noise on top would vary more, and anyone could better
it by shrinking it). Noise of the level is white from day to day, that of the shape an AR(1) process. An RMSE of 0 gives
the truth, one above the spread gives what is usual, whose error is then the smaller one.

PV is relative to the clear sky's: nights have no error, places without clouds small ones, and a forecast stays between
0 and what the clear sky gives. Load is relative to the year's typical week. A day with less than three quarters of the
usual energy is one on which the building stays shut, and its owner knows: level and shape of that day are usual.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.optimize import brentq

from litgrid.site.calendar import weekday_of_step
from litgrid.site.process import Array, ar1
from litgrid.site.site import ForecastErrors, Site

USUAL_DAYS = 31  # about a day, whose mean is usual
CLOSED = 0.75  # of the usual energy; a day with less is a closed one


class _Year(NamedTuple):
    """A year as [days, steps per day]: what comes, what it is measured by, and what is usual, over that measure."""

    actual: Array
    scale: Array
    usual: Array


class _Noise(NamedTuple):
    """Noise of variance 1: of each day's level, [days, 1], and of the shape, [days, steps per day]."""

    level: Array
    shape: Array


def pv_kw(site: Site, actual_kw: Array, clear_kw: Array, rng: np.random.Generator) -> Array:
    """Forecast the PV power of a year.

    Args:
        site: with the errors of its forecasts.
        actual_kw: PV power, [T].
        clear_kw: what the plant would give under a clear sky, [T]. Where broken clouds focus the sun, the actual power
            is the limit.
        rng: of the errors; how much is drawn of it depends on nothing but T.

    Returns:
        [T] in kW, with the actual energy of the year.
    """
    actual, limit = _days(site, actual_kw), _days(site, np.maximum(clear_kw, actual_kw))
    year, errors = _Year(actual, limit, _usual(actual, limit)), site.forecast.pv
    return _forecast(year, errors, _noise(site, errors, rng), highest=1.0)


def load_kw(site: Site, actual_kw: Array, rng: np.random.Generator) -> Array:
    """Forecast the load of a year; arguments and result as in ``pv_kw``."""
    actual, weekday = _days(site, actual_kw), weekday_of_step(site)[:: site.steps_per_day]
    week = np.stack([actual[weekday == day].mean(axis=0) for day in range(7)])[weekday]
    usual, errors = _usual(actual, week), site.forecast.load
    closed = actual.sum(axis=1) < CLOSED * (usual * week).sum(axis=1)
    usual[closed] = _ratio(actual, week)[closed]
    return _forecast(_Year(actual, week, usual), errors, _noise(site, errors, rng), highest=np.inf)


def _noise(site: Site, errors: ForecastErrors, rng: np.random.Generator) -> _Noise:
    steps = ar1(site.steps_per_year, errors.hour_correlation**site.step_hours, rng)
    return _Noise(rng.standard_normal((site.steps_per_year // site.steps_per_day, 1)), _days(site, steps))


def _forecast(year: _Year, errors: ForecastErrors, noise: _Noise, highest: float) -> Array:
    """Forecast [T] a year, between 0 and the highest multiple of its scale."""
    if not year.actual.any():
        return np.zeros(year.actual.size)
    unusual = _ratio(year.actual, year.scale) - year.usual
    level, day_scale = _mean(unusual, year.scale), year.scale.sum(axis=1, keepdims=True)
    day_rmse = errors.day_error * float(year.actual.sum(axis=1).mean())
    step_rmse = errors.hour_error * float(year.actual[year.scale > 0].mean())
    of_level = _foresee(level, noise.level, day_scale, day_rmse)
    of_shape = _foresee(unusual - level, noise.shape - _mean(noise.shape, year.scale), year.scale, step_rmse)
    relative = year.usual + of_level + of_shape
    return _without_bias(relative, year.scale, highest, float(year.actual.sum())).ravel()


def _foresee(unusual: Array, noise: Array, scale: Array, rmse: float) -> Array:
    """What a forecast foresees of what is unusual over a scale, with an RMSE in the scale's unit."""
    counted = scale > 0
    spread, noise_spread = (np.sqrt(np.mean((values * scale)[counted] ** 2)) for values in (unusual, noise))
    if spread <= rmse:
        return np.zeros_like(unusual)
    share = 1 - (rmse / spread) ** 2
    foreseen: Array = share * unusual + np.sqrt(share * (1 - share)) * spread / noise_spread * noise
    return foreseen


def _without_bias(relative: Array, scale: Array, highest: float, total: float) -> Array:
    """Forecast within its limits; one constant gives back what they cut off, so that the year has its total."""

    def shifted(by: float) -> Array:
        within: Array = scale * np.clip(relative + by, 0.0, highest)
        return within

    span = float(np.abs(relative).max()) + 1.0
    return shifted(brentq(lambda by: float(shifted(by).sum()) - total, -span, span))


def _usual(actual: Array, scale: Array) -> Array:
    """Mean of a month about each day at the same time, over the scale's, [days, steps]; December meets January."""
    around = [uniform_filter1d(values, USUAL_DAYS, axis=0, mode="wrap") for values in (actual, scale)]
    return _ratio(around[0], around[1])


def _ratio(values: Array, scale: Array) -> Array:
    """Values over a scale, 0 where that is 0."""
    ratio: Array = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    return ratio


def _mean(values: Array, scale: Array) -> Array:
    """Mean of each day, weighted by the scale, [days, 1]; 0 in the polar night."""
    return _ratio((values * scale).sum(axis=1, keepdims=True), scale.sum(axis=1, keepdims=True))


def _days(site: Site, values: Array) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(-1, site.steps_per_day)

"""Day-ahead forecasts of PV power and load, as well as such forecasts are in practice (``litgrid.site.site.Forecast``).

They stand for a forecast that is issued at 00:00 of the day before for all of its day, 24 to 48 hours ahead, and never
corrected. In a step of day D a site so has those of D (issued at 00:00 of D - 1) and of D + 1 (issued at 00:00 of D):
everything up to the same time tomorrow, and no later row.

Everyone knows what is usual: of a month about the day, at that time of the day. What a day has beyond that is its
level, and what its steps have beyond the level is its shape. Of both a forecast foresees a share s and misses the rest:

    foreseen = s x unusual + sqrt(s (1 - s)) x spread x noise,    s = 1 - (RMSE / spread)^2

which has the RMSE that the site states, an error that says nothing of the forecast itself, and less spread than what
comes: the properties of a forecast that was corrected by its own past (Wilks, Statistical Methods in the Atmospheric
Sciences, on calibration). Noise of the level is white from day to day, that of the shape an AR(1) process. RMSE 0 gives
what comes; one that exceeds the spread gives what is usual, whose error is the smaller one.

PV is relative to the clear sky's, so that a place without clouds has small errors, nights have none, and forecasts
stay between 0 and what the clear sky gives. Load is relative to the year's typical week. A day under three quarters
of the usual is one on which the building stays shut, which its owner knows.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.optimize import brentq

from litgrid.site.calendar import weekday_of_step
from litgrid.site.process import Array, ar1
from litgrid.site.site import ForecastErrors, Site

USUAL_DAYS = 31  # about a day, of which the mean is usual
CLOSED = 0.75  # of the usual energy: a day with less is a closed one


def pv_kw(site: Site, actual_kw: Array, clear_kw: Array, rng: np.random.Generator) -> Array:
    """Forecast the PV power of a year.

    Args:
        site: with the errors of its forecasts.
        actual_kw: PV power, [T].
        clear_kw: what the plant would give under a clear sky, [T]. Where broken clouds focus the sun, the actual power
            is the limit.
        rng: of the errors; the number of its draws does not depend on the site's errors.

    Returns:
        [T] in kW; a year's energy is the actual one's.
    """
    actual, limit = _days(site, actual_kw), _days(site, np.maximum(clear_kw, actual_kw))
    return _forecast(site.forecast.pv, site.step_hours, actual, limit, _usual(actual, limit), 1.0, rng)


def load_kw(site: Site, actual_kw: Array, rng: np.random.Generator) -> Array:
    """Forecast the load of a year; arguments and result as in ``pv_kw``."""
    actual, weekday = _days(site, actual_kw), weekday_of_step(site)[:: site.steps_per_day]
    week = np.stack([actual[weekday == day].mean(axis=0) for day in range(7)])[weekday]
    usual = _usual(actual, week)
    closed = actual.sum(axis=1) < CLOSED * (usual * week).sum(axis=1)
    usual[closed] = _ratio(actual, week)[closed]
    return _forecast(site.forecast.load, site.step_hours, actual, week, usual, np.inf, rng)


def _forecast(
    errors: ForecastErrors,
    step_hours: float,
    actual: Array,
    scale: Array,
    usual: Array,
    highest: float,
    rng: np.random.Generator,
) -> Array:
    """Forecast [T] of the actual values from their scale and what is usual, relative to it, [days, steps] each."""
    of_level = rng.standard_normal((len(actual), 1))
    of_shape = ar1(actual.size, errors.hour_correlation**step_hours, rng).reshape(actual.shape)
    if not actual.any():
        return np.zeros(actual.size)
    unusual, day_scale = _ratio(actual, scale) - usual, scale.sum(axis=1, keepdims=True)
    level = _mean(unusual, scale)
    day_rmse = errors.day_error * float(actual.sum(axis=1).mean())
    step_rmse = errors.hour_error * float(actual[scale > 0].mean())
    foreseen = _foresee(level, of_level, day_scale, day_rmse)
    foreseen = foreseen + _foresee(unusual - level, of_shape - _mean(of_shape, scale), scale, step_rmse)
    return _without_bias(usual + foreseen, scale, highest, float(actual.sum())).ravel()


def _foresee(unusual: Array, noise: Array, scale: Array, rmse: float) -> Array:
    """What a forecast with an RMSE (in the unit of the scale) foresees of what is unusual, relative to the scale."""
    counted = scale > 0
    spread, noise_spread = (np.sqrt(np.mean((values * scale)[counted] ** 2)) for values in (unusual, noise))
    if spread <= rmse:
        return np.zeros_like(unusual)
    share = 1 - (rmse / spread) ** 2
    foreseen: Array = share * unusual + np.sqrt(share * (1 - share)) * spread / noise_spread * noise
    return foreseen


def _without_bias(relative: Array, scale: Array, highest: float, total: float) -> Array:
    """Forecast within its limits; what the limits cut off is given back by one constant, so that a year has its sum."""

    def shifted(by: float) -> Array:
        return scale * np.clip(relative + by, 0.0, highest)

    span = float(np.abs(relative).max()) + 1.0
    shift = brentq(lambda by: float(shifted(by).sum()) - total, -span, span)
    return shifted(shift)


def _usual(actual: Array, scale: Array) -> Array:
    """Mean of a month about each day at the same time, relative to the scale, [days, steps]; December meets January."""
    around = [uniform_filter1d(values, USUAL_DAYS, axis=0, mode="wrap") for values in (actual, scale)]
    return _ratio(around[0], around[1])


def _ratio(values: Array, scale: Array) -> Array:
    """Values over the scale, 0 where that is 0."""
    ratio: Array = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    return ratio


def _mean(values: Array, scale: Array) -> Array:
    """Mean of each day, weighted by the scale, [days, 1]; 0 in the polar night."""
    return _ratio((values * scale).sum(axis=1, keepdims=True), scale.sum(axis=1, keepdims=True))


def _days(site: Site, values: Array) -> Array:
    return np.asarray(values, dtype=np.float64).reshape(-1, site.steps_per_day)

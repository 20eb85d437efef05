"""How far the day-ahead forecasts of a year are from what came, in the measures that the literature has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litgrid.site.site import Site

Array = NDArray[Any]


def forecast_errors(site: Site, series: dict[str, Array]) -> dict[str, float | None]:
    """Errors of the day-ahead forecasts of one year.

    Args:
        site: whose year it is.
        series: of the year, [T] each, with whole days.

    Returns:
        ``pv_forecast_rmse_share`` and ``pv_forecast_rmse_of_capacity`` (while the sun is up, over the mean PV power of
        that time, and over the AC power of the plant), ``pv_forecast_day_rmse_share`` (of a day's energy, over the mean
        day's), ``pv_forecast_autocorrelation`` (of errors an hour apart, while the sun is up); None without PV or where
        it is always right. ``load_forecast_mape`` (mean of |error| / load) and ``load_forecast_day_rmse_share``; None
        without load.
    """
    pv, load = series["pv_kw"], series["load_kw"]
    pv_error, load_error = series["pv_day_ahead_kw"] - pv, series["load_day_ahead_kw"] - load
    lit, drawn = series["ghi_w_per_m2"] > 0, load > 0
    rmse_kw = _rms(pv_error[lit])
    return {
        "pv_forecast_rmse_share": rmse_kw / float(pv[lit].mean()) if pv.any() else None,
        "pv_forecast_rmse_of_capacity": rmse_kw / site.pv.ac_kw if pv.any() else None,
        "pv_forecast_day_rmse_share": _day_rmse_share(site, pv_error, pv),
        "pv_forecast_autocorrelation": _autocorrelation(pv_error, lit, round(1 / site.step_hours)),
        "load_forecast_mape": float(np.mean(np.abs(load_error[drawn]) / load[drawn])) if drawn.any() else None,
        "load_forecast_day_rmse_share": _day_rmse_share(site, load_error, load),
    }


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _day_rmse_share(site: Site, error: Array, actual: Array) -> float | None:
    if not actual.any():
        return None
    errors, days = (values.reshape(-1, site.steps_per_day).sum(axis=1) for values in (error, actual))
    return _rms(errors) / float(days.mean())


def _autocorrelation(error: Array, counted: Array, lag: int) -> float | None:
    """Correlation of errors that are some steps apart and both counted."""
    both = counted[lag:] & counted[:-lag]
    now, later = error[:-lag][both], error[lag:][both]
    return float(np.corrcoef(now, later)[0, 1]) if now.std() * later.std() > 0 else None

"""How far the forecasts of a year are from what came, in the measures that the literature has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from litgrid.site.site import Site

Array = NDArray[Any]


def forecast_errors(site: Site, series: dict[str, Array], kind: str = "day_ahead") -> dict[str, float | None]:
    """Errors of the forecasts of one year.

    Args:
        site: whose year it is.
        series: of the year, [T] each, with whole days.
        kind: day_ahead, mean7 or persistence.

    Returns:
        ``pv_forecast_rmse_share`` and ``pv_forecast_rmse_of_capacity`` (while the sun is up, over the mean PV power of
        that time, and over the AC power of the plant), ``pv_forecast_day_rmse_share`` (of a day's energy, over the mean
        day's), ``pv_forecast_autocorrelation`` (of errors an hour apart, while the sun is up); None without PV or where
        it is always right. ``load_forecast_mape`` (mean of |error| / load) and ``load_forecast_day_rmse_share``; None
        without load.
    """
    pv_errors = _pv_errors(site, series, series[f"pv_{kind}_kw"] - series["pv_kw"])
    return pv_errors | _load_errors(site, series["load_kw"], series[f"load_{kind}_kw"] - series["load_kw"])


def _pv_errors(site: Site, series: dict[str, Array], error: Array) -> dict[str, float | None]:
    actual = series["pv_kw"]
    keys = ("rmse_share", "rmse_of_capacity", "day_rmse_share", "autocorrelation")
    measures: tuple[float | None, ...] = (None,) * len(keys)
    if actual.any():
        lit = series["ghi_w_per_m2"] > 0
        rmse_kw, hour = _rms(error[lit]), round(1 / site.step_hours)
        shares = rmse_kw / float(actual[lit].mean()), rmse_kw / site.pv.ac_kw
        measures = (*shares, _day_rmse_share(site, error, actual), _autocorrelation(error, lit, hour))
    return {f"pv_forecast_{key}": value for key, value in zip(keys, measures, strict=True)}


def _load_errors(site: Site, actual: Array, error: Array) -> dict[str, float | None]:
    drawn = actual > 0
    if not drawn.any():
        return {"load_forecast_mape": None, "load_forecast_day_rmse_share": None}
    mape = float(np.mean(np.abs(error[drawn]) / actual[drawn]))
    return {"load_forecast_mape": mape, "load_forecast_day_rmse_share": _day_rmse_share(site, error, actual)}


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _day_rmse_share(site: Site, error: Array, actual: Array) -> float:
    errors, days = (values.reshape(-1, site.steps_per_day).sum(axis=1) for values in (error, actual))
    return _rms(errors) / float(days.mean())


def _autocorrelation(error: Array, counted: Array, lag: int) -> float | None:
    """Correlation of errors that are some steps apart and both counted; None where they don't vary."""
    both = counted[lag:] & counted[:-lag]
    now, later = error[:-lag][both], error[lag:][both]
    return float(np.corrcoef(now, later)[0, 1]) if np.ptp(now) * np.ptp(later) > 0 else None

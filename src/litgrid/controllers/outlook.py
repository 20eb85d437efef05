"""What load, PV, prices and carbon intensity will be: as a site can forecast them, or as they will be."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np

from litgrid.controllers.program import Values
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.view import View
from litgrid.site.rules import Mpc
from litgrid.site.site import Site

Forecast = Literal["day_ahead", "mean7", "persistence"]
NEGLIGIBLE = 0.02
"""Share of its highest power below which a forecast is too small for an error relative to it."""


class Outlook(NamedTuple):
    """The next H steps of B sites, the present one first, [B, H]."""

    load_kw: Values
    """Without vehicles."""
    pv_kw: Values
    price_per_kwh: Values
    carbon_kg_per_kwh: Values


class Forecaster(Protocol):
    """Where the outlook comes from."""

    def ahead(self, view: View) -> Outlook:
        """What a site expects from the present step on, which it knows."""


class SiteForecasts:
    """The forecasts that a site has, corrected by how wrong they are at present.

    The present relative error e = actual / forecast - 1 (between -1 and 1) is expected to be e x memory^k after k
    hours: a day that is duller, or a building that is busier, than expected stays so for some hours. A forecast covers
    24 hours; later hours repeat it.

    Args:
        forecast: of load and PV.
        site: whose they are.
        settings: the memories of both errors.
        steps: of the horizon, H.
    """

    def __init__(self, forecast: Forecast, site: Site, settings: Mpc, steps: int) -> None:
        self._forecast = forecast
        self._row = np.arange(steps) % site.steps_per_day
        self._read = min(steps, site.steps_per_day)
        hours = np.arange(steps) * site.step_hours
        self._load_memory, self._pv_memory = settings.load_memory**hours, settings.pv_memory**hours
        self._least_load, self._least_pv = NEGLIGIBLE * site.load.peak_kw, NEGLIGIBLE * site.pv.ac_kw

    def ahead(self, view: View) -> Outlook:
        """What the site expects from the present step on, which it knows."""
        load, pv = (self._series(view, f"{key}_{self._forecast}_kw") for key in ("load", "pv"))
        return Outlook(
            _corrected(load, view.load_kw.double().cpu().numpy(), self._load_memory, self._least_load),
            _corrected(pv, view.pv_kw.double().cpu().numpy(), self._pv_memory, self._least_pv),
            self._series(view, "price_per_kwh"),
            self._series(view, "carbon_kg_per_kwh"),
        )

    def _series(self, view: View, key: str) -> Values:
        values: Values = view.forecast(key, self._read).double().cpu().numpy()[:, self._row]
        return values


def _corrected(forecast: Values, now: Values, left: Values, least: float) -> Values:
    """A forecast [B, H] that starts at what is [B], with the share [H] of the present relative error that is left."""
    first = forecast[:, :1]
    known = first > least
    error = np.where(known, now[:, None] / np.where(known, first, 1.0) - 1.0, 0.0).clip(-1.0, 1.0)
    corrected: Values = forecast * (1.0 + error * left)
    corrected[:, 0] = now
    return corrected


class PerfectForecasts:
    """The scenarios themselves: perfect foresight. Beyond the year's end its last row repeats.

    Args:
        scenarios: that are controlled.
        steps: of the horizon, H.
    """

    def __init__(self, scenarios: ScenarioSet, steps: int) -> None:
        self._series = [scenarios.series[key].double().numpy() for key in Outlook._fields]
        self._ahead, self._last = np.arange(steps), scenarios.steps - 1

    def ahead(self, view: View) -> Outlook:
        """What will be from the present step on."""
        scenario, step = (values.cpu().numpy()[:, None] for values in (view.scenario, view.step))
        return Outlook(*(series[scenario, np.minimum(step + self._ahead, self._last)] for series in self._series))

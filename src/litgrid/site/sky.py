"""The sun and the clear sky over a site, at sub-steps of at most 15 minutes, computed once for the calendar.

Irradiance bends within an hour, most of all after sunrise and before sunset. So whatever is nonlinear in it (the
decomposition into direct and diffuse, transposition, the inverter) is computed at the middle of sub-steps and averaged.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pvlib

from litgrid.site.clock import time_stamps
from litgrid.site.process import Array
from litgrid.site.site import Location, Site

SUBSTEP_SECONDS = 900
DARK_DEG = -6.0
"""With the sun lower than this (the end of civil twilight), there is neither irradiance nor PV power."""


@dataclass(frozen=True)
class Sky:
    """The sun and the clear sky over the lead-in days and the year.

    Attributes:
        stamps: starts of the T steps.
        substeps: S, how many sub-steps make a step.
        middles: middles of the T x S sub-steps, local standard time.
        fine: a row for each of them: apparent_zenith, zenith, elevation, azimuth, ... in degrees, and ghi, dni, dhi
            of the clear sky in W/m2.
    """

    stamps: pd.DatetimeIndex
    substeps: int
    middles: pd.DatetimeIndex
    fine: pd.DataFrame

    def mean(self, values: Array | pd.Series[float]) -> Array:
        """Means over the steps, [T], of values at the sub-steps, [T x S]."""
        means: Array = np.asarray(values, dtype=np.float64).reshape(-1, self.substeps).mean(axis=1)
        return means

    @functools.cached_property
    def clear(self) -> dict[str, Array]:
        """Means of the clear sky's ghi, dni, dhi over the steps, [T] each, in W/m2."""
        return {key: self.mean(self.fine[key]) for key in ("ghi", "dni", "dhi")}

    @functools.cached_property
    def highest_elevation_deg(self) -> Array:
        """Highest elevation of the sun in each step, [T], in degrees."""
        elevation: Array = self.fine["elevation"].to_numpy().reshape(-1, self.substeps).max(axis=1)
        return elevation


def place(location: Location) -> pvlib.location.Location:
    """The location as pvlib has it; time zones are those of the time stamps."""
    return pvlib.location.Location(location.latitude_deg, location.longitude_deg, altitude=location.altitude_m)


def sun_and_clear_sky(location: Location, times: pd.DatetimeIndex) -> pd.DataFrame:
    """Sun position (NREL SPA) and Ineichen-Perez clear sky at instants, with pvlib's Linke turbidity of the place.

    The turbidity is the monthly climatology that pvlib ships (Remund et al. 2003), so that no network is needed.
    """
    sun = place(location).get_solarposition(times)
    clear = place(location).get_clearsky(times, model="ineichen", solar_position=sun)
    both: pd.DataFrame = pd.concat([sun, clear], axis=1)
    return both


def sky(site: Site) -> Sky:
    """The sky over a site; computed once for each location and calendar."""
    stamps = time_stamps(site)
    return _sky(site.location, stamps[0], len(stamps), site.step_seconds)


@functools.lru_cache(maxsize=4)
def _sky(location: Location, start: pd.Timestamp, steps: int, step_seconds: int) -> Sky:
    substeps = math.ceil(step_seconds / SUBSTEP_SECONDS)
    substep = pd.Timedelta(seconds=step_seconds) / substeps
    stamps = pd.date_range(start, periods=steps, freq=pd.Timedelta(seconds=step_seconds))
    middles = pd.date_range(start + substep / 2, periods=steps * substeps, freq=substep)
    return Sky(stamps, substeps, middles, sun_and_clear_sky(location, middles))

"""Measured irradiance between its time stamps: it follows the clear sky's course, and keeps each day's sum.

Between rows the clear-sky index (irradiance over the clear sky's) is interpolated, not the irradiance: that bends
within an hour, and straight lines would shine before sunrise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from litgrid.site.clock import standard_time
from litgrid.site.process import Array
from litgrid.site.series import SECONDS_PER_DAY, MeasuredDays, Rows, seconds_since
from litgrid.site.site import Site
from litgrid.site.sky import SUBSTEP_SECONDS, sun_and_clear_sky

COMPONENTS = ("ghi", "dni", "dhi")
FAINT_W_PER_M2 = 20.0
"""Below this clear-sky GHI the clear-sky index says nothing."""


@dataclass(frozen=True)
class SkyOfRows:
    """Sun and clear sky over the rows of a file.

    Attributes:
        elevation_deg: [n] highest elevation of the sun in the row's interval.
        clear: [n, 3] mean of the clear sky's GHI, DNI, DHI over the row's interval, in W/m2.
    """

    elevation_deg: Array
    clear: Array


def sky_of_rows(site: Site, starts: pd.DatetimeIndex, seconds: int) -> SkyOfRows:
    """Sun and clear sky over intervals of ``seconds`` (0 for instants) that start in local standard time."""
    parts = max(1, math.ceil(seconds / SUBSTEP_SECONDS))
    offsets = (np.arange(parts) + 0.5) * seconds / parts
    times = starts.repeat(parts) + pd.to_timedelta(np.tile(offsets, len(starts)), unit="s")
    sky = sun_and_clear_sky(site.location, times.tz_localize(standard_time(site.location)))
    clear = sky[list(COMPONENTS)].to_numpy().reshape(len(starts), parts, 3)
    elevation = sky["elevation"].to_numpy().reshape(len(starts), parts)
    return SkyOfRows(elevation.max(axis=1), clear.mean(axis=1))


def follow_sky(site: Site, rows: Rows, above: SkyOfRows, days: MeasuredDays) -> Array:
    """Irradiance along the clear sky's course.

    Args:
        site: where it was measured.
        rows: their first columns are GHI, DNI, DHI in W/m2.
        above: sun and clear sky over the rows.
        days: the rows averaged along straight lines; their daily sums are kept.

    Returns:
        [days, steps per day, 3] means over the site's steps, in W/m2.
    """
    part = math.gcd(site.step_seconds, SUBSTEP_SECONDS, rows.width_seconds)
    starts_of_parts = days.dates.repeat(SECONDS_PER_DAY // part)
    starts_of_parts += pd.to_timedelta(np.tile(np.arange(0, SECONDS_PER_DAY, part), len(days.dates)), unit="s")
    clear = sky_of_rows(site, starts_of_parts, part).clear
    at = seconds_since(days.dates[0], starts_of_parts, part / 2)
    measured = seconds_since(days.dates[0], rows.starts, rows.width_seconds / 2)
    lit = above.clear[:, 0] > FAINT_W_PER_M2
    steps = np.empty((*days.values.shape[:2], 3))
    for component in range(3):
        index = rows.values[lit, component] / np.maximum(above.clear[lit, component], 1.0)
        course = np.interp(at, measured[lit], index) * clear[:, component]
        steps[..., component] = course.reshape(*steps.shape[:2], -1).mean(axis=2)
    kept, found = days.values[..., :3].sum(axis=1, keepdims=True), steps.sum(axis=1, keepdims=True)
    steps *= np.divide(kept, found, out=np.zeros_like(kept), where=found > 0)
    return steps

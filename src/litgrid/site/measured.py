"""Measured weather and load: whole days at a site's step, after every check that units, time stamps and sun allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from litgrid.errors import InputError
from litgrid.site.clock import standard_time
from litgrid.site.irradiance import SkyOfRows, follow_sky, sky_of_rows
from litgrid.site.process import Array
from litgrid.site.series import MeasuredDays, Rows, check_stamps, check_year, usual_interval, whole_days
from litgrid.site.site import LoadFile, Site, WeatherFile
from litgrid.site.sky import DARK_DEG
from litgrid.site.table import numbers, read_text
from litgrid.site.weather_files import WeatherRows, parse_stamps, read_weather

WEATHER_LIMITS = ((0.0, 1600.0), (0.0, 1600.0), (0.0, 1600.0), (-90.0, 60.0), (-0.5, 80.0))
"""Values that make sense for GHI, DNI, DHI in W/m2, air temperature in degrees C, wind in m/s; wind just below 0 is an
anemometer's offset and becomes 0."""

HIGHEST_LOAD_KW = 1e6
SINCE_START = {"instant": 0.0, "start": 0.0, "middle": 0.5, "end": 1.0}
"""Share of an interval that has passed at its stamp."""

DARK_W_PER_M2 = 10.0
"""With the sun below ``DARK_DEG``, irradiance is at most this."""

CLEARNESS = (0.15, 1.2)
"""A year's GHI over the clear sky's is between these, or its unit is wrong."""


def load_days(site: Site, file: LoadFile) -> MeasuredDays:
    """Read a measured load in kW: means over the site's steps, values [days, steps per day, 1].

    Raises:
        InputError: the file is missing or wrong (see ``litgrid.site.series``), shorter than a year, has a value that
            is missing, no number or negative, or its unit is neither kW nor kWh.
    """
    path, interval = Path(file.path), pd.Timedelta(minutes=file.interval_minutes)
    if file.unit not in ("kW", "kWh"):
        raise InputError(f"site, load.file.unit: found {file.unit}, expected kW or kWh")
    text = read_text(path, [file.time_column, file.value_column], file.separator)
    values = numbers(path, text[file.value_column], 0.0, HIGHEST_LOAD_KW)
    kw = values if file.unit == "kW" else values / (interval / pd.Timedelta(hours=1))
    stamps = _local(site, parse_stamps(path, text[file.time_column], file.time_format))
    check_stamps(path, stamps, interval)
    rows = Rows(path, stamps - SINCE_START[file.stamp] * interval, kw[:, None], interval)
    check_year(rows)
    return whole_days(rows, site.step_seconds)


def weather_days(site: Site, file: WeatherFile) -> MeasuredDays:
    """Read measured weather: means over the site's steps, values [days, steps per day, columns of the weather].

    Daily sums of irradiance are those of the file, instantaneous values being joined by straight lines; within the
    day it follows the clear sky (``litgrid.site.irradiance``).

    Raises:
        InputError: the file is missing or wrong (see ``litgrid.site.series``), shorter than a year, coarser than an
            hour, has a value that is missing or out of range, or the sun shines in it at night.
    """
    rows = _weather_rows(site, Path(file.path), read_weather(file))
    check_year(rows)
    above = sky_of_rows(site, rows.starts, rows.width_seconds)
    _check_night(site, rows, above)
    _check_unit(rows, above)
    days = whole_days(rows, site.step_seconds)
    days.values[..., :3] = follow_sky(site, rows, above, days)
    return days


def _weather_rows(site: Site, path: Path, raw: WeatherRows) -> Rows:
    stamps, interval = _local(site, raw.stamps), usual_interval(raw.stamps)
    if interval > pd.Timedelta(hours=1):
        found = f"a row every {interval / pd.Timedelta(hours=1):g} hours"
        raise InputError(f"{path}: found {found}, expected one an hour at least")
    check_stamps(path, stamps, interval, raw.first_line)
    starts, values = stamps - SINCE_START[raw.stamp] * interval, _weather_values(path, raw)
    return Rows(path, starts, values, interval, raw.stamp == "instant", raw.first_line)


def _weather_values(path: Path, rows: WeatherRows) -> Array:
    named = zip(rows.columns, WEATHER_LIMITS, strict=True)
    values = np.column_stack([numbers(path, rows.columns[name], *limits, rows.first_line) for name, limits in named])
    values[:, -1] = np.maximum(values[:, -1], 0)
    return values


def _local(site: Site, stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Stamps in the site's local standard time, without time zone."""
    return stamps if stamps.tz is None else stamps.tz_convert(standard_time(site.location)).tz_localize(None)


def _check_unit(rows: Rows, above: SkyOfRows) -> None:
    """Check that GHI is of the clear sky's order.

    Raises:
        InputError: it is not.
    """
    mean, clear = float(rows.values[:, 0].mean()), float(above.clear[:, 0].mean())
    low, high = CLEARNESS
    if not low <= mean / clear <= high:
        found, expected = f"a mean GHI of {mean:g} W/m2", f"{low * clear:.0f} to {high * clear:.0f} W/m2"
        raise InputError(f"{rows.path}: found {found}, expected {expected} at this place (is the unit W/m2?)")


def _check_night(site: Site, rows: Rows, above: SkyOfRows) -> None:
    """Check that the sun is up where it shines: otherwise the clock is wrong, UTC taken for local time for instance.

    Raises:
        InputError: it is not.
    """
    ghi = rows.values[:, 0]
    wrong = np.flatnonzero((ghi > DARK_W_PER_M2) & (above.elevation_deg < DARK_DEG))
    if len(wrong):
        row, down = int(wrong[0]), -above.elevation_deg[wrong[0]]
        found = f"GHI {ghi[row]:g} W/m2 at {rows.starts[row]:%Y-%m-%d %H:%M} with the sun {down:.0f} degrees down"
        expected = f"stamps in standard time of {site.location.timezone} or with their UTC offset"
        raise InputError(f"{rows.path}, line {row + rows.first_line}: found {found}, expected {expected}")

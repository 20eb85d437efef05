"""The clock of a site: local standard time, in a year that has no 29 February."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from litgrid.errors import InputError
from litgrid.site.site import DAYS_PER_YEAR, Location, Site

LEAD_IN_DAYS = 7
"""Days before 1 January in generated series, for the forecasts of the year's first week."""

# For each weekday of 1 January, a non-leap year that begins with it.
_YEARS = {
    "monday": 2018,
    "tuesday": 2019,
    "wednesday": 2025,
    "thursday": 2026,
    "friday": 2021,
    "saturday": 2022,
    "sunday": 2023,
}


def standard_time(location: Location) -> datetime.timezone:
    """Fixed offset of the zone's standard time; daylight saving, which adds to it in one half of the year, is left out.

    Raises:
        InputError: there is no such time zone.
    """
    try:
        zone = ZoneInfo(location.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of the database
        found = f"site, location.timezone: found {location.timezone}"
        raise InputError(f"{found}, expected an IANA name such as America/Lima") from error
    offsets = [datetime.datetime(2018, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)]
    return datetime.timezone(min(offset for offset in offsets if offset is not None))


def time_stamps(site: Site) -> pd.DatetimeIndex:
    """Starts of the steps of the seven lead-in days and the year, [(7 + 365) x steps per day].

    The calendar year is one without 29 February that begins with the site's first weekday, so that the stamps'
    own weekdays, months and days count.
    """
    start = pd.Timestamp(_YEARS[site.first_weekday], 1, 1, tz=standard_time(site.location))
    periods = (LEAD_IN_DAYS + DAYS_PER_YEAR) * site.steps_per_day
    return pd.date_range(
        start - pd.Timedelta(days=LEAD_IN_DAYS), periods=periods, freq=pd.Timedelta(seconds=site.step_seconds)
    )

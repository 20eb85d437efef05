"""The calendar of a generated year: month, weekday and hour of every step, and windows of the day.

Every function returns one value for each of the T steps of the year, which starts on 1 January at 00:00 local standard
time and has 365 days.
"""

import numpy as np
from numpy.typing import NDArray

from litgrid.site.site import DAYS_PER_YEAR, WEEKDAYS, Site

MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def month_of_step(site: Site) -> NDArray[np.int64]:
    """Month of every step, [T], 0 (January) to 11."""
    return np.repeat(np.arange(12), np.array(MONTH_DAYS) * site.steps_per_day)


def weekday_of_step(site: Site) -> NDArray[np.int64]:
    """Weekday of every step, [T], 0 (Monday) to 6."""
    days = (WEEKDAYS.index(site.first_weekday) + np.arange(DAYS_PER_YEAR)) % 7
    return np.repeat(days, site.steps_per_day)


def _second_of_step(site: Site) -> NDArray[np.int64]:
    return np.arange(site.steps_per_year) % site.steps_per_day * site.step_seconds


def hour_of_step(site: Site) -> NDArray[np.float64]:
    """Hour of the day at the start of every step, [T], e.g. 18.25."""
    return _second_of_step(site) / 3600


def in_window(site: Site, from_hour: float, to_hour: float) -> NDArray[np.bool_]:
    """Whether every step starts in [from_hour, to_hour) of its day, [T].

    The comparison is made in whole seconds, so that a window is exact at any step.
    """
    second = _second_of_step(site)
    return (second >= round(from_hour * 3600)) & (second < round(to_hour * 3600))

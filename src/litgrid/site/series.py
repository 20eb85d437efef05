"""Measured time series: checks of their time stamps, and their means over the steps of whole days."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.site.process import Array
from litgrid.site.site import DAYS_PER_YEAR

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Rows:
    """Rows of a measured file, checked.

    Attributes:
        path: the file.
        starts: [n] starts of the rows' intervals, or their instants, in local standard time without time zone.
        values: [n, columns].
        interval: between rows.
        instant: values are instantaneous; otherwise they are means over the interval.
        first_line: line of the first row in the file.
    """

    path: Path
    starts: pd.DatetimeIndex
    values: Array
    interval: pd.Timedelta
    instant: bool = False
    first_line: int = 2

    @property
    def width_seconds(self) -> int:
        """Length of a row's interval; 0 for instants."""
        return 0 if self.instant else round(self.interval.total_seconds())


@dataclass(frozen=True)
class MeasuredDays:
    """Whole measured days at a site's time step, without 29 February.

    Attributes:
        dates: D days in local standard time, in order of time.
        values: [D, steps per day, columns], means over the steps.
    """

    dates: pd.DatetimeIndex
    values: Array


def check_stamps(path: Path, stamps: pd.DatetimeIndex, interval: pd.Timedelta, first_line: int = 2) -> None:
    """Check that stamps follow each other at an interval; only a 29 February may be left out.

    Raises:
        InputError: a time stamp is repeated, goes back, or leaves a gap, or the interval is another one.
    """
    steps, usual = stamps[1:] - stamps[:-1], usual_interval(stamps)
    if usual != interval:
        raise InputError(f"{path}: found a row every {_minutes(usual)}, expected one every {_minutes(interval)}")
    wrong = np.flatnonzero((steps != interval) & ~_leap_day(stamps, interval))
    if not len(wrong):
        return
    before, after, line = stamps[wrong[0]], stamps[wrong[0] + 1], int(wrong[0]) + 1 + first_line
    found = f"{path}, line {line}: found {after:%Y-%m-%d %H:%M} after {before:%Y-%m-%d %H:%M}"
    if after == before:
        raise InputError(f"{found} (a repeated time stamp), expected each time stamp once")
    if after < before:
        raise InputError(f"{found} (time goes back), expected rows in the order of time")
    raise InputError(f"{found}, expected a row every {_minutes(interval)} (gap or daylight saving time)")


def usual_interval(stamps: pd.DatetimeIndex) -> pd.Timedelta:
    """The most frequent interval between stamps."""
    intervals = pd.Series(stamps[1:] - stamps[:-1])
    return pd.Timedelta(intervals.mode().iloc[0]) if len(intervals) else pd.Timedelta(0)


def check_year(rows: Rows) -> None:
    """Check that a series covers a year, with or without a 29 February.

    Raises:
        InputError: it is shorter.
    """
    first, last = rows.starts[0], rows.starts[-1]
    days = (last + rows.interval - first) / pd.Timedelta(days=1)
    if days < DAYS_PER_YEAR:
        span = f"{first:%Y-%m-%d} to {last:%Y-%m-%d} ({days:.1f} days)"
        raise InputError(f"{rows.path}: found {span}, expected a whole year at least ({DAYS_PER_YEAR} days)")


def whole_days(rows: Rows, step_seconds: int) -> MeasuredDays:
    """Average rows over the steps of their whole days; straight lines join instantaneous values."""
    first, end = rows.starts[0].ceil("D"), rows.starts[-1:] + rows.interval
    days = end[0].floor("D") - first
    dates = pd.date_range(first, periods=days.days, freq="D")
    knots = np.append(seconds_since(first, rows.starts), seconds_since(first, end))
    edges = np.arange(days.days * SECONDS_PER_DAY // step_seconds + 1, dtype=np.float64) * step_seconds
    integral = _integral(knots, np.vstack([rows.values, rows.values[-1:]]), edges, rows.instant)
    means = (np.diff(integral, axis=0) / step_seconds).reshape(len(dates), -1, rows.values.shape[1])
    kept = ~((dates.month == 2) & (dates.day == 29))
    return MeasuredDays(dates[kept], means[kept])


def _integral(knots: Array, values: Array, at: Array, instant: bool) -> Array:
    """Integral from the first knot to ``at`` of straight lines between knots, or of steps that begin there."""
    piece = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    width = np.diff(knots)[:, None]
    rise = np.diff(values, axis=0) if instant else np.zeros_like(values[:-1])
    area = np.vstack([np.zeros_like(values[:1]), np.cumsum(width * (values[:-1] + rise / 2), axis=0)])
    share = (at - knots[piece])[:, None] / width[piece]
    integral: Array = area[piece] + share * width[piece] * (values[piece] + share * rise[piece] / 2)
    return integral


def seconds_since(origin: pd.Timestamp, stamps: pd.DatetimeIndex, later: float = 0.0) -> Array:
    """Seconds from an origin to each stamp and some seconds later, [n]."""
    return np.asarray((stamps - origin) / pd.Timedelta(seconds=1), dtype=np.float64) + later


def _leap_day(stamps: pd.DatetimeIndex, interval: pd.Timedelta) -> NDArray[np.bool_]:
    """Where a 29 February, and nothing else, is left out between two stamps."""
    before, after = stamps[:-1], stamps[1:]
    last = (before.month == 2) & (before.day == 28) & (after.month == 3) & (after.day == 1)
    return np.asarray(last & (after - before == pd.Timedelta(days=1) + interval))


def _minutes(interval: pd.Timedelta) -> str:
    return f"{interval / pd.Timedelta(minutes=1):g} minutes"

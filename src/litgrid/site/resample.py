"""Years made from measured days: which split a real day belongs to, and how a year is put together from blocks of days.

Days that occur on both sides make any learner look better than it is, so that within each real month the first 70 %
of the days are for training, the next 15 % for validation and the last 15 % for the test years.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SHORTEST_BLOCK, LONGEST_BLOCK = 2, 7  # days
Days = NDArray[np.int64]


def split_days(days: int, split: str) -> range:
    """Days of a month of ``days`` real days that belong to a split, counted from 0: disjoint, consecutive.

    Args:
        days: how many real days of this month (of this year) there are.
        split: train, validation or test.
    """
    held_out = round(0.15 * days)
    train, validation = days - 2 * held_out, days - held_out
    return {"train": range(train), "validation": range(train, validation), "test": range(validation, days)}[split]


def split_mask(dates: pd.DatetimeIndex, split: str) -> NDArray[np.bool_]:
    """Whether each real day, in order of time, belongs to the split, [days]."""
    month = np.asarray(dates.year * 12 + dates.month)
    mask = np.zeros(len(dates), dtype=bool)
    for first in np.flatnonzero(np.diff(month, prepend=-1)):
        chosen = split_days(int(np.count_nonzero(month == month[first])), split)
        mask[first + chosen.start : first + chosen.stop] = True
    return mask


def draw_days(
    dates: pd.DatetimeIndex, calendar: pd.DatetimeIndex, split: str, rng: np.random.Generator, weekdays: bool = False
) -> Days:
    """Fill a calendar with blocks of consecutive real days, of the split and of the same month of the year.

    A block of 2 to 7 days may begin before the split's first real day (what lies before is cut off), so that each day
    is drawn equally often; it also ends with the split's last day and with the calendar's month.

    Args:
        dates: the real days, in order of time.
        calendar: the days to fill.
        split: train, validation or test.
        rng: of the draws.
        weekdays: blocks fall on their own weekdays; where the month has none of a weekday, the nearest month helps out.

    Returns:
        For each day of the calendar the number of a real day, [days of the calendar].
    """
    mask = split_mask(dates, split)
    month = np.asarray(calendar.month)
    drawn: list[int] = []
    while len(drawn) < len(calendar):
        day = len(drawn)
        starts = _starts(dates, mask, calendar[day], weekdays)
        length = int(rng.integers(SHORTEST_BLOCK, LONGEST_BLOCK + 1))
        before = int(rng.integers(len(starts) + length - 1)) - (length - 1)
        start, stop = int(starts[max(before, 0)]), length + min(before, 0)
        block = range(start, start + min(stop, _run(mask, dates, start), _same(month, day)))
        drawn.extend(block)
    return np.array(drawn)


def _starts(dates: pd.DatetimeIndex, mask: NDArray[np.bool_], day: pd.Timestamp, weekdays: bool) -> Days:
    """Real days of the split on which a block for this day of the calendar can start, from the nearest month."""
    fits = mask & (np.asarray(dates.weekday) == day.weekday()) if weekdays else mask
    distance = np.abs(np.asarray(dates.month) - day.month)
    distance = np.minimum(distance, 12 - distance)
    return np.flatnonzero(fits & (distance == distance[fits].min()))


def _run(mask: NDArray[np.bool_], dates: pd.DatetimeIndex, start: int) -> int:
    """How many real days from ``start`` on follow each other in the split and in the month."""
    inside = mask[start:] & (np.asarray(dates.month[start:]) == dates[start].month)
    return int(np.argmin(inside)) if not inside.all() else len(inside)


def _same(month: Days, day: int) -> int:
    """How many days from ``day`` on are of the same month."""
    return int(np.argmin(month[day:] == month[day])) or len(month) - day

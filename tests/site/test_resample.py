"""Blocks of real days: splits share none, every day of a split is used, and blocks stay in their month."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litgrid.site.resample import LONGEST_BLOCK, Days, draw_days, split_days, split_mask

SPLITS = ("train", "validation", "test")
DATES = pd.date_range("2024-01-01", "2024-12-31", freq="D")
DATES = DATES[(DATES.month != 2) | (DATES.day != 29)]
CALENDAR = pd.date_range("2022-12-25", "2023-12-31", freq="D")


@given(st.integers(0, 31))
def test_a_months_days_are_shared_out(days: int) -> None:
    assert [day for split in SPLITS for day in split_days(days, split)] == list(range(days))


@pytest.mark.parametrize(("days", "sizes"), [(31, (21, 5, 5)), (30, (22, 4, 4)), (28, (20, 4, 4))])
def test_about_70_15_15_percent(days: int, sizes: tuple[int, int, int]) -> None:
    assert tuple(len(split_days(days, split)) for split in SPLITS) == sizes


def test_no_real_day_is_in_two_splits() -> None:
    masks = np.array([split_mask(DATES, split) for split in SPLITS])
    assert (masks.sum(axis=0) == 1).all()
    assert masks.sum(axis=1).tolist() == [255, 55, 55]
    drawn = [set(np.concatenate([_draw(split, seed) for seed in range(20)])) for split in SPLITS]
    assert not drawn[0] & drawn[1]
    assert not drawn[0] & drawn[2]
    assert not drawn[1] & drawn[2]


def _draw(split: str, seed: int, weekdays: bool = False) -> Days:
    return draw_days(DATES, CALENDAR, split, np.random.default_rng(seed), weekdays)


@pytest.mark.parametrize("split", SPLITS)
def test_days_stay_in_their_month_in_consecutive_blocks(split: str) -> None:
    drawn = _draw(split, 0)
    assert len(drawn) == 372
    np.testing.assert_array_equal(DATES[drawn].month, CALENDAR.month)
    runs = np.diff(np.flatnonzero(np.diff(drawn, prepend=-9, append=-9) != 1))
    assert runs.max() <= LONGEST_BLOCK * 3  # blocks that happen to follow each other
    assert np.mean(np.diff(drawn) == 1) > 0.5


@pytest.mark.parametrize("split", SPLITS)
def test_each_real_day_is_drawn_about_equally_often(split: str) -> None:
    januaries = pd.date_range("2023-01-01", "2023-01-31", freq="D").repeat(200)
    counts = np.bincount(draw_days(DATES, januaries, split, np.random.default_rng(0)), minlength=len(DATES))
    counts = counts[:31][split_mask(DATES, split)[:31]]
    assert counts.min() > 0.75 * counts.mean()
    assert counts.max() < 1.25 * counts.mean()


@pytest.mark.parametrize("split", SPLITS)
def test_weekdays_are_kept_where_asked(split: str) -> None:
    drawn = _draw(split, 0, weekdays=True)
    np.testing.assert_array_equal(DATES[drawn].weekday, CALENDAR.weekday)
    assert split_mask(DATES, split)[drawn].all()
    distance = np.abs(np.asarray(DATES[drawn].month) - np.asarray(CALENDAR.month))
    assert np.minimum(distance, 12 - distance).max() <= 2


def test_months_of_several_years_are_split_each() -> None:
    dates = pd.date_range("2020-01-01", "2021-12-31", freq="D")
    mask = split_mask(dates, "test")
    assert dates[mask & (dates.month == 1)].day.tolist() == [27, 28, 29, 30, 31] * 2

"""The calendar of a generated year."""

from pathlib import Path

import numpy as np
import pytest

from litgrid.site import calendar
from litgrid.site.site import Site, read_site, replace

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"


@pytest.fixture(params=[3600, 900])
def site(request: pytest.FixtureRequest) -> Site:
    return replace(read_site(IQUITOS), step_seconds=request.param, first_weekday="wednesday")


def test_months_have_their_days(site: Site) -> None:
    month = calendar.month_of_step(site)
    assert np.bincount(month).tolist() == [d * site.steps_per_day for d in calendar.MONTH_DAYS]
    assert len(month) == site.steps_per_year
    assert (np.diff(month) >= 0).all()


def test_weekdays_start_with_the_first_and_repeat_every_week(site: Site) -> None:
    weekday = calendar.weekday_of_step(site).reshape(365, -1)
    assert weekday[:8, 0].tolist() == [2, 3, 4, 5, 6, 0, 1, 2]
    assert (weekday == weekday[:, :1]).all()


def test_hours_are_those_of_the_steps_start(site: Site) -> None:
    hour = calendar.hour_of_step(site).reshape(365, -1)
    assert (hour == np.arange(0, 24, site.step_hours)).all()


def test_windows_hold_their_start_and_not_their_end(site: Site) -> None:
    hour = calendar.hour_of_step(site)
    inside = hour[calendar.in_window(site, 18, 23)]
    assert inside.min() == 18
    assert inside.max() == 23 - site.step_hours
    assert inside.size == 365 * 5 / site.step_hours


def test_windows_are_exact_where_hours_are_no_binary_fractions(site: Site) -> None:
    twenty_minutes = replace(site, step_seconds=1200)
    hour = calendar.hour_of_step(twenty_minutes)[calendar.in_window(twenty_minutes, 7 + 1 / 3, 7 + 2 / 3)]
    assert hour.size == 365
    assert hour[0] == pytest.approx(7 + 1 / 3)

"""Standard time, and calendars that begin on any weekday."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from litgrid.errors import InputError
from litgrid.site.clock import standard_time, time_stamps
from litgrid.site.site import WEEKDAYS, Site, Weekday


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("America/Lima", -5), ("Europe/Berlin", 1), ("Australia/Sydney", 10), ("Asia/Kolkata", 5.5), ("UTC", 0)],
)
def test_standard_time_has_no_daylight_saving(iquitos: Site, zone: str, hours: float) -> None:
    location = replace(iquitos.location, timezone=zone)
    assert standard_time(location) == timezone(timedelta(hours=hours))


@pytest.mark.parametrize("name", ["Iquitos", "", "../etc/passwd", "America"])
def test_unknown_zones_are_refused(iquitos: Site, name: str) -> None:
    with pytest.raises(InputError, match=r"location.timezone: found .*, expected an IANA name such as America/Lima"):
        standard_time(replace(iquitos.location, timezone=name))


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_the_year_begins_on_its_weekday(iquitos: Site, weekday: Weekday) -> None:
    stamps = time_stamps(replace(iquitos, first_weekday=weekday, step_seconds=1800))
    assert len(stamps) == 372 * 48
    first = stamps[7 * 48]
    assert (first.month, first.day, first.hour) == (1, 1, 0)
    assert first.day_name().lower() == weekday
    assert not ((stamps.month == 2) & (stamps.day == 29)).any()
    assert (stamps[-1].month, stamps[-1].day) == (12, 31)

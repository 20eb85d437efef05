"""The generated load: its energy, its peak, and how well it can be forecast; measured loads by split and weekday."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.site import load
from litgrid.site.clock import time_stamps
from litgrid.site.resample import split_mask
from litgrid.site.site import Load, LoadFile, Site

Array = NDArray[np.float64]

YEARS = 16


def draw(site: Site, count: int = YEARS, split: str = "train", seed: int = 0) -> Array:
    """Years of load in kW, [years, 372 days, steps per day]."""
    drawn = load.years(site, split, count, np.random.default_rng(seed))
    return np.array(drawn).reshape(count, 372, -1)


@pytest.fixture(scope="module")
def loads(iquitos: Site) -> Array:
    return draw(iquitos)


def test_a_seed_fixes_the_load(iquitos: Site, loads: Array) -> None:
    np.testing.assert_array_equal(draw(iquitos, 2), loads[:2])
    assert not np.array_equal(draw(iquitos, 1, seed=1)[0], loads[0])


def test_energy_and_peak_are_the_sites(loads: Array) -> None:
    year = loads[:, 7:]
    assert year.sum(axis=(1, 2)).mean() == pytest.approx(3.09e6, rel=0.01)
    assert year.max(axis=(1, 2)).mean() == pytest.approx(700.0, rel=0.025)
    assert loads.min() > 50.0


@pytest.mark.parametrize(("annual_kwh", "peak_kw"), [(120_000.0, 30.0), (876_000.0, 130.0), (8.76e6, 1000.0)])
@pytest.mark.parametrize("step_seconds", [3600, 900])
def test_any_energy_and_peak_can_be_had(iquitos: Site, annual_kwh: float, peak_kw: float, step_seconds: int) -> None:
    site = replace(iquitos, load=Load(annual_kwh=annual_kwh, peak_kw=peak_kw), step_seconds=step_seconds)
    year = draw(site)[:, 7:]
    assert year.sum(axis=(1, 2)).mean() * site.step_hours == pytest.approx(annual_kwh, rel=0.01)
    assert year.max(axis=(1, 2)).mean() == pytest.approx(peak_kw, rel=0.03)
    assert year.min() > 0


def test_no_load(iquitos: Site) -> None:
    assert draw(replace(iquitos, load=Load(annual_kwh=0.0, peak_kw=0.0)), 1).max() == 0.0


def test_a_needle_is_refused(iquitos: Site) -> None:
    needle = replace(iquitos, load=Load(annual_kwh=8760.0, peak_kw=1000.0))
    with pytest.raises(InputError, match=r"load.peak_kw: found 1000, expected at most \d+ kW"):
        draw(needle)


def test_days_have_the_shape_of_a_mall(loads: Array) -> None:
    """In Iquitos (2024) the hours from 4 to 5, 12 to 18 and 21 to 22 have 114, 560 to 570 and 470 kW."""
    hour = loads.mean(axis=(0, 1))
    assert hour[4] == pytest.approx(114.0, rel=0.05)
    assert hour[12:18].mean() == pytest.approx(565.0, rel=0.03)
    assert hour[21] == pytest.approx(485.0, rel=0.05)


def test_evenings_can_be_forecast_as_well_as_measured(loads: Array) -> None:
    """From 18 to 23 h: 2,350 to 2,500 kWh; the mean of seven days misses it by 173 to 195 kWh (standard deviation)."""
    evening = loads[:, :, 18:23].sum(axis=2)
    assert evening.mean() == pytest.approx(2425.0, rel=0.03)
    mean7 = np.array([evening[:, day - 7 : day].mean(axis=1) for day in range(7, 372)]).T
    errors = (evening[:, 7:] - mean7).std(axis=1)
    assert errors.mean() == pytest.approx(190.0, abs=15.0)


def test_open_days_persist_as_measured(iquitos: Site) -> None:
    """In Iquitos (2024), outages left out, daily energies correlate by 0.74, 0.36 and 0.27 after 1, 7 and 28 days."""
    open_ = replace(iquitos, load=Load(closures_per_year=0.0))
    days = draw(open_)[:, 7:].sum(axis=2)
    days -= days.mean(axis=1, keepdims=True)

    def correlation(lag: int) -> float:
        return float((days[:, lag:] * days[:, :-lag]).mean() / days.var())

    assert correlation(1) == pytest.approx(0.72, abs=0.06)
    assert correlation(7) == pytest.approx(0.38, abs=0.10)
    assert correlation(28) == pytest.approx(0.20, abs=0.12)
    assert days.std() / draw(open_).sum(axis=2).mean() == pytest.approx(0.072, abs=0.01)


def test_a_few_days_a_year_are_closed(iquitos: Site, loads: Array) -> None:
    noons = loads[:, 7:, 12:16].mean(axis=2)
    assert 1.5 < (noons < 400).sum() / YEARS < 4.5
    never = draw(replace(iquitos, load=Load(closures_per_year=0.0)))
    assert never[:, :, 12:16].mean(axis=2).min() > 380


def test_weekdays_follow_the_calendar(iquitos: Site) -> None:
    """Sundays start late: from 7 to 8 h they have four fifths of a workday's load."""
    for first in ("monday", "thursday"):
        site = replace(iquitos, first_weekday=first)
        weekday = time_stamps(site)[::24].weekday
        early = draw(site, 8)[:, :, 7].mean(axis=0)
        assert early[weekday == 6].mean() / early[weekday < 4].mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_measured_days_keep_their_split_and_weekday(iquitos: Site, tmp_path: Path, split: str) -> None:
    """Each measured day has a load of its own number, so that a year's days tell which they are."""
    hours = pd.date_range("2023-01-01", periods=8760, freq="h")
    table = pd.DataFrame({"time": hours.strftime("%d/%m/%Y %H:%M"), "kW": np.asarray(hours.dayofyear, dtype=float)})
    path: Any = tmp_path / "load.csv"
    table.to_csv(path, index=False, sep=";", encoding="utf-8-sig")
    file = LoadFile(path, "time", "kW", "kW", 60.0, "start", ";", "%d/%m/%Y %H:%M")
    site = replace(iquitos, load=Load(file=file), first_weekday="wednesday")
    real = draw(site, 3, split)
    assert (np.ptp(real, axis=2) == 0).all()
    days = real[:, :, 0].astype(int) - 1
    dates = pd.date_range("2023-01-01", periods=365, freq="D")
    assert split_mask(dates, split)[days].all()
    np.testing.assert_array_equal(np.asarray(dates.weekday)[days], [time_stamps(site)[::24].weekday] * 3)

"""Generated weather: its yearly sum, its months and its variation; measured weather in the place of other days."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.site import weather
from litgrid.site.resample import split_mask
from litgrid.site.site import Location, Site, Weather, WeatherFile
from litgrid.site.sky import sky

YEARS = 12
LEAD_IN_HOURS = 7 * 24

Array = NDArray[np.float64]
SkyAt = Callable[[pd.DatetimeIndex], pd.DataFrame]


def draw(site: Site, count: int = 1, split: str = "train", seed: int = 0) -> list[pd.DataFrame]:
    return weather.years(site, split, count, np.random.default_rng(seed))


def days_of(year: pd.DataFrame, column: str = "ghi_w_per_m2") -> Array:
    """Hourly values without the lead-in days, [365, 24]."""
    values: Array = year[column].to_numpy()[LEAD_IN_HOURS:].reshape(365, 24)
    return values


@pytest.fixture(scope="module")
def years(iquitos: Site) -> list[pd.DataFrame]:
    return draw(iquitos, YEARS)


@pytest.fixture(scope="module")
def ghi(years: list[pd.DataFrame]) -> Array:
    """Hourly GHI in W/m2, [years, 365, 24]."""
    return np.array([days_of(year) for year in years])


@pytest.fixture(scope="module")
def clear(iquitos: Site) -> Array:
    """The clear sky's hourly GHI in W/m2, [365, 24]."""
    return sky(iquitos).clear["ghi"][LEAD_IN_HOURS:].reshape(365, 24)


def test_rows_are_the_steps_of_a_week_and_a_year(iquitos: Site, years: list[pd.DataFrame]) -> None:
    stamps = pd.DatetimeIndex(years[0].index)
    assert len(stamps) == (7 + 365) * 24
    assert (str(stamps[0]), str(stamps[-1])) == ("2017-12-25 00:00:00-05:00", "2018-12-31 23:00:00-05:00")
    assert stamps[LEAD_IN_HOURS].day_name() == "Monday"
    assert list(years[0]) == ["ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", "temp_air_c", "wind_speed_m_per_s"]
    assert not years[0].isna().any(axis=None)
    sunday = pd.DatetimeIndex(draw(replace(iquitos, first_weekday="sunday"))[0].index)
    assert sunday[LEAD_IN_HOURS].day_name() == "Sunday"
    assert not ((sunday.month == 2) & (sunday.day == 29)).any()


def test_a_seed_fixes_the_weather(iquitos: Site, years: list[pd.DataFrame]) -> None:
    pd.testing.assert_frame_equal(draw(iquitos, 2)[1], years[1])
    assert not draw(iquitos, seed=1)[0].equals(years[0])


def test_the_mean_year_has_the_sites_irradiation(ghi: Array) -> None:
    kwh_per_m2 = ghi.sum(axis=(1, 2)) / 1000
    assert kwh_per_m2.mean() == pytest.approx(1668.0, rel=0.015)
    assert 0.008 < kwh_per_m2.std() / kwh_per_m2.mean() < 0.03


def test_months_have_their_clearness(iquitos: Site, years: list[pd.DataFrame], ghi: Array, clear: Array) -> None:
    month = pd.DatetimeIndex(years[0].index[LEAD_IN_HOURS::24]).month
    means = [ghi[:, month == number].sum() / clear[month == number].sum() / YEARS for number in range(1, 13)]
    np.testing.assert_allclose(means, iquitos.weather.monthly_clearness, rtol=0.06)


def test_days_vary_and_persist_as_measured(ghi: Array, clear: Array) -> None:
    """In Iquitos (2024) the days' 5, 50 and 95 % quantiles are 0.42, 0.71, 0.92, and neighbours correlate by 0.25."""
    days = ghi.sum(axis=2) / clear.sum(axis=1)
    np.testing.assert_allclose(np.quantile(days, [0.05, 0.5, 0.95]), [0.42, 0.71, 0.92], atol=0.03)
    anomaly = days - days.mean(axis=0)
    assert np.corrcoef(anomaly[:, 1:].ravel(), anomaly[:, :-1].ravel())[0, 1] == pytest.approx(0.25, abs=0.05)


def test_hours_vary_and_persist_as_measured(ghi: Array, clear: Array) -> None:
    """In Iquitos (2024) hourly changes of clearness have a standard deviation of 0.10; 1 % of them exceed 0.29."""
    clearness = np.where(clear > 150, ghi / np.maximum(clear, 1), np.nan)
    ramps = np.diff(clearness, axis=2)
    assert np.nanstd(ramps) == pytest.approx(0.10, abs=0.015)
    assert np.nanquantile(np.abs(ramps), 0.99) == pytest.approx(0.29, abs=0.06)


def test_irradiance_is_physical(iquitos: Site, years: list[pd.DataFrame]) -> None:
    above = sky(iquitos)
    for year in years:
        assert (year >= 0).all(axis=None)
        assert (year["ghi_w_per_m2"] <= 1.2 * above.clear["ghi"] + 1e-9).all()
        assert (year["dhi_w_per_m2"] <= year["ghi_w_per_m2"] + 1e-9).all()
        assert (year["ghi_w_per_m2"][above.highest_elevation_deg < -1] == 0).all()


def test_air_follows_the_sun_and_the_months(iquitos: Site, years: list[pd.DataFrame]) -> None:
    """In Iquitos (2024) the hottest hour is 5 K above the coldest, and a day's mean follows its sun (0.83)."""
    air = np.array([days_of(year, "temp_air_c") for year in years])
    sun = np.array([days_of(year) for year in years]).sum(axis=2)
    assert np.ptp(air.mean(axis=(0, 1))) == pytest.approx(5.0, abs=0.8)
    anomaly, sunny = air.mean(axis=2) - air.mean(axis=(0, 2)), sun - sun.mean(axis=0)
    assert 0.5 < np.corrcoef(anomaly.ravel(), sunny.ravel())[0, 1] < 0.9
    assert air.mean() == pytest.approx(np.mean(iquitos.weather.temp_air_c), abs=0.3)
    wind = np.array([days_of(year, "wind_speed_m_per_s") for year in years])
    assert wind.mean() == pytest.approx(0.83, rel=0.05)


def test_quarter_hours_are_the_same_weather(iquitos: Site, years: list[pd.DataFrame]) -> None:
    fine = draw(replace(iquitos, step_seconds=900))[0]
    np.testing.assert_allclose(fine.to_numpy().reshape(-1, 4, 5).mean(axis=1), years[0].to_numpy(), atol=1e-9)


@pytest.mark.parametrize(
    ("location", "ghi_kwh_per_m2"),
    [
        (Location(69.65, 18.96, 10.0, "Europe/Oslo"), 750.0),
        (Location(-33.87, 151.21, 30.0, "Australia/Sydney"), 1650.0),
        (Location(0.0, 180.0, 0.0, "Pacific/Auckland"), 1900.0),
        (Location(-90.0, 0.0, 2800.0, "Antarctica/McMurdo"), 1000.0),
    ],
)
def test_any_place_on_earth(iquitos: Site, location: Location, ghi_kwh_per_m2: float) -> None:
    site = replace(iquitos, location=location, weather=Weather(ghi_kwh_per_m2=ghi_kwh_per_m2), step_seconds=1800)
    kwh = [year["ghi_w_per_m2"].iloc[7 * 48 :].sum() / 2000 for year in draw(site, 8)]
    assert np.mean(kwh) == pytest.approx(ghi_kwh_per_m2, rel=0.025)


def test_daylight_saving_is_left_out(iquitos: Site) -> None:
    sydney = replace(iquitos, location=Location(-33.87, 151.21, 30.0, "Australia/Sydney"))
    offsets = {stamp.utcoffset() for stamp in draw(sydney)[0].index}
    assert offsets == {pd.Timedelta(hours=10)}


def test_impossible_figures_are_refused(iquitos: Site) -> None:
    bright = replace(iquitos, weather=Weather(ghi_kwh_per_m2=3000.0))
    with pytest.raises(
        InputError, match=r"weather.ghi_kwh_per_m2: found 3000, expected at most 22.., 95% of the clear"
    ):
        draw(bright)
    nowhere = replace(iquitos, location=Location(0.0, 0.0, 0.0, "America/Iquitos"))
    with pytest.raises(InputError, match=r"location.timezone: found America/Iquitos, expected an IANA name"):
        draw(nowhere)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_measured_days_stand_in_for_days_of_their_split(
    iquitos: Site, sky_at: SkyAt, hours: pd.DatetimeIndex, tmp_path: Path, split: str
) -> None:
    """Every measured day has a temperature and a clearness of its own, so that a year's days tell which they are."""
    table = sky_at(hours + pd.Timedelta(minutes=30)).set_index(hours)
    marks = 0.4 + 0.5 * np.arange(365) / 365
    table.iloc[:, :3] *= np.repeat(marks, 24)[:, None] / 0.7
    table["temp_air_c"] = np.repeat(np.arange(365) / 5, 24) - 40
    path: Any = tmp_path / "weather.csv"
    table.to_csv(path)
    site = replace(iquitos, weather=Weather(file=WeatherFile(path, "csv", stamp="start")))
    year = draw(site, split=split)[0]
    above = sky(site)
    real = np.round((year["temp_air_c"].to_numpy()[::24] + 40) * 5).astype(int)
    clearness = year["ghi_w_per_m2"].to_numpy().reshape(372, 24).sum(axis=1)
    clearness /= above.clear["ghi"].reshape(372, 24).sum(axis=1)
    np.testing.assert_allclose(clearness, marks[real], atol=0.005)
    dates = pd.date_range("2019-01-01", periods=365, freq="D")
    np.testing.assert_array_equal(dates[real].month, above.stamps[::24].month)
    assert split_mask(dates, split)[real].all()
    assert (year["ghi_w_per_m2"][above.clear["ghi"] == 0] == 0).all()

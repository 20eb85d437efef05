"""Measured CSV files: units, stamps and means by hand, and one clear line for everything that can be wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from litgrid.errors import InputError
from litgrid.site.measured import load_days, weather_days
from litgrid.site.site import LoadFile, Site, WeatherFile

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the measured files of shared/data are not here")

SkyAt = Callable[[pd.DatetimeIndex], pd.DataFrame]
Edit = Callable[[pd.DataFrame], pd.DataFrame]


def hourly_load(hours: pd.DatetimeIndex) -> pd.DataFrame:
    """The hour of the day as the load, stamped without offset."""
    return pd.DataFrame({"time": hours.strftime("%Y-%m-%d %H:%M"), "load": hours.hour.astype(float)})


def write_load(folder: Path, table: pd.DataFrame, **changes: Any) -> LoadFile:
    table.to_csv(folder / "load.csv", index=False)
    path: Any = folder / "load.csv"
    return replace(LoadFile(path, "time", "load", "kW", 60.0, "start"), **changes)


def write_weather(folder: Path, table: pd.DataFrame, **changes: Any) -> WeatherFile:
    table.to_csv(folder / "weather.csv")
    path: Any = folder / "weather.csv"
    return replace(WeatherFile(path, "csv"), **changes)


def one_cell(column: str, value: object) -> Edit:
    """Put a value into a column in the tenth row, which is line 11."""
    return lambda table: table.astype({column: object}).assign(
        **{column: [*table[column].iloc[:9], value, *table[column].iloc[10:]]}
    )


def refusal(call: Callable[[], object], expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_load_stamped_at_the_end_is_shifted(iquitos: Site, hours: pd.DatetimeIndex, tmp_path: Path) -> None:
    start = load_days(iquitos, write_load(tmp_path, hourly_load(hours)))
    assert start.values.shape == (365, 24, 1)
    np.testing.assert_allclose(start.values[7, :, 0], np.arange(24))
    end = load_days(iquitos, write_load(tmp_path, hourly_load(hours + pd.Timedelta(hours=1)), stamp="end"))
    np.testing.assert_allclose(end.values[7, :, 0], [*range(1, 24), 0])
    assert end.dates.equals(start.dates)


def test_energy_per_interval_is_turned_into_power(iquitos: Site, tmp_path: Path) -> None:
    quarters = pd.date_range("2023-01-01", periods=4 * 8760, freq="15min")
    table = hourly_load(quarters).assign(load=np.tile([1.0, 2.0, 3.0, 4.0], 8760))
    file = write_load(tmp_path, table, unit="kWh", interval_minutes=15.0)
    assert load_days(iquitos, file).values == pytest.approx(10.0)
    fine = load_days(replace(iquitos, step_seconds=900), file)
    np.testing.assert_allclose(fine.values[3, :4, 0], [4.0, 8.0, 12.0, 16.0])


def test_a_leap_day_is_dropped_and_may_be_missing(iquitos: Site, tmp_path: Path) -> None:
    leap_year = pd.date_range("2024-01-01", periods=8784, freq="h")
    table = hourly_load(leap_year).assign(load=np.asarray(leap_year.dayofyear, dtype=float))
    whole = load_days(iquitos, write_load(tmp_path, table))
    short = load_days(iquitos, write_load(tmp_path, table[(leap_year.month != 2) | (leap_year.day != 29)]))
    np.testing.assert_allclose(whole.values, short.values)
    assert whole.dates.equals(short.dates)
    assert list(whole.values[57:60, 0, 0]) == [58, 59, 61]


LOAD_FAULTS: dict[str, tuple[Edit, str]] = {
    "column": (lambda table: table.rename(columns={"load": "kWh"}), "columns time, kWh, expected one named load"),
    "nan": (one_cell("load", None), "line 11, load: found nan, expected a number"),
    "text": (one_cell("load", "1;5"), "line 11, load: found 1;5, expected a number"),
    "negative": (one_cell("load", -1.0), "line 11, load: found -1.0, expected a number from 0"),
    "stamp": (one_cell("time", "noon"), "line 11, time: found noon, expected a time stamp"),
    "offsets": (
        one_cell("time", "2019-01-01 09:00-05:00"),
        "line 11, time: found .*, expected .* all with or all with",
    ),
    "gap": (
        lambda table: table.drop(index=[50, 51]),
        "line 52: found 2019-01-03 04:00 after 2019-01-03 01:00, expected",
    ),
    "repeated": (lambda table: table.iloc[[*range(50), 49, *range(50, 8760)]], "line 52: .* repeated time stamp"),
    "backwards": (lambda table: table.iloc[[*range(48), 40, *range(49, 8760)]], "line 50: .*time goes back"),
    "interval": (lambda table: table.iloc[::2], "found a row every 120 minutes, expected one every 60 minutes"),
    "truncated": (lambda table: table.iloc[:8000], r"2019-01-01 to 2019-11-30 \(333.3 days\), expected a whole year"),
    "no rows": (lambda table: table.iloc[:0], "found no row, expected rows below the header"),
}


@pytest.mark.parametrize("fault", LOAD_FAULTS)
def test_faulty_loads_are_refused(iquitos: Site, hours: pd.DatetimeIndex, tmp_path: Path, fault: str) -> None:
    edit, expected = LOAD_FAULTS[fault]
    file = write_load(tmp_path, edit(hourly_load(hours)))
    refusal(lambda: load_days(iquitos, file), f"load.csv.*{expected}")


def test_wrong_or_missing_load_files_are_refused(iquitos: Site, hours: pd.DatetimeIndex, tmp_path: Path) -> None:
    file = write_load(tmp_path, hourly_load(hours))
    refusal(lambda: load_days(iquitos, replace(file, unit="MW")), "unit: found MW, expected kW or kWh")  # type: ignore[arg-type]
    (tmp_path / "load.csv").unlink()
    refusal(lambda: load_days(iquitos, file), "load.csv: found .*No such file")


@pytest.mark.parametrize("step_seconds", [3600, 900])
@pytest.mark.parametrize(("stamp", "minutes"), [("instant", 0), ("start", 30), ("end", -30)])
def test_irradiance_follows_the_clear_sky(
    iquitos: Site, sky_at: SkyAt, tmp_path: Path, *, stamp: str, minutes: int, step_seconds: int
) -> None:
    """Whatever its stamps mean, 70 % of the clear sky comes back, step by step."""
    hours = pd.date_range("2019-01-01", periods=8760, freq="h", tz="Etc/GMT+5", name="datetime")
    table = sky_at(hours + pd.Timedelta(minutes=minutes)).set_index(hours)
    site = replace(iquitos, step_seconds=step_seconds)
    days = weather_days(site, write_weather(tmp_path, table, stamp=stamp))
    middles = days.dates.repeat(86_400 // 900) + pd.to_timedelta(
        np.tile(np.arange(450, 86_400, 900), len(days.dates)), "s"
    )
    exact = sky_at(middles.tz_localize("Etc/GMT+5"))["ghi_w_per_m2"].to_numpy()
    exact = exact.reshape(len(days.dates), 86_400 // step_seconds, -1).mean(axis=2)
    assert days.values[..., 0].mean() == pytest.approx(exact.mean(), rel=0.005)
    assert np.abs(days.values[..., 0] - exact).max() < 25.0
    np.testing.assert_allclose(days.values[..., 3], 25.0)


def test_a_days_sum_of_instants_is_kept(iquitos: Site, sky_at: SkyAt, hours: pd.DatetimeIndex, tmp_path: Path) -> None:
    table = sky_at(hours)
    table.iloc[:, :3] = table.iloc[:, :3].mul(np.random.default_rng(0).uniform(0.3, 1.2, (8760, 1)))
    days = weather_days(iquitos, write_weather(tmp_path, table))
    sums = table.iloc[:, :3].to_numpy().reshape(365, 24, 3).sum(axis=1)
    np.testing.assert_allclose(days.values[..., :3].sum(axis=1), sums, rtol=1e-9)


def test_stamps_with_an_offset_are_local(iquitos: Site, sky_at: SkyAt, hours: pd.DatetimeIndex, tmp_path: Path) -> None:
    table = sky_at(hours)
    local = weather_days(iquitos, write_weather(tmp_path, table.set_index(hours.tz_localize(None))))
    utc = weather_days(iquitos, write_weather(tmp_path, table.set_index(hours.tz_convert("UTC"))))
    assert utc.dates.equals(local.dates)
    np.testing.assert_allclose(utc.values, local.values)


WEATHER_FAULTS: dict[str, tuple[Edit, str]] = {
    "column": (lambda table: table.rename(columns={"dni_w_per_m2": "dni"}), "ghi_w_per_m2, dni, .* named dni_w_per_m2"),
    "nan": (one_cell("ghi_w_per_m2", None), "line 11, ghi_w_per_m2: found nan"),
    "negative": (one_cell("dhi_w_per_m2", -3.0), "line 11, dhi_w_per_m2: found -3.0, expected a number from 0 to"),
    "kelvin": (lambda table: table.assign(temp_air_c=298.0), "line 2, temp_air_c: found 298.0, expected .* -90 to 60"),
    "wind": (one_cell("wind_speed_m_per_s", -2.0), "line 11, wind_speed_m_per_s: found -2.0"),
    "kW": (lambda table: table / [1000.0, 1000.0, 1000.0, 1.0, 1.0], r"mean GHI of .* \(is the unit W/m2\?\)"),
    "utc": (
        lambda table: table.set_index(pd.DatetimeIndex(table.index) + pd.Timedelta(hours=5)),
        "line 16: found GHI .* with the sun .* degrees down, expected stamps in standard time of America/Lima",
    ),
    "3 hours": (lambda table: table.iloc[::3], "found a row every 3 hours, expected one an hour at least"),
    "gap": (lambda table: table.drop(index=table.index[9]), "line 11: found 2019-01-01 10:00 after 2019-01-01 08:00"),
    "truncated": (lambda table: table.iloc[:-24], r"\(364.0 days\), expected a whole year"),
}


@pytest.mark.parametrize("fault", WEATHER_FAULTS)
def test_faulty_weather_is_refused(
    iquitos: Site, sky_at: SkyAt, hours: pd.DatetimeIndex, tmp_path: Path, fault: str
) -> None:
    edit, expected = WEATHER_FAULTS[fault]
    file = write_weather(tmp_path, edit(sky_at(hours)))
    refusal(lambda: weather_days(iquitos, file), f"weather.csv.*{expected}")


def test_wind_just_below_zero_is_calm(iquitos: Site, sky_at: SkyAt, hours: pd.DatetimeIndex, tmp_path: Path) -> None:
    table = sky_at(hours).assign(wind_speed_m_per_s=-0.04)
    assert weather_days(iquitos, write_weather(tmp_path, table)).values[..., 4].max() == 0.0


@needs_data
def test_the_measured_load_of_the_mall(iquitos: Site) -> None:
    path: Any = DATA / "iquitos_mall_demand_15min_2024.csv"
    file = LoadFile(path, "FECHAHORA", "kWh", "kW", 15.0, "end", ";", "%d/%m/%Y %H:%M")
    days = load_days(iquitos, file)
    assert days.values.shape == (365, 24, 1)
    assert days.values.sum() == pytest.approx(3.09e6, rel=0.002)
    assert load_days(replace(iquitos, step_seconds=900), file).values.max() == 701.0
    assert (days.values[67, 7:16] == 0).all()  # the outage of 9 March
    assert load_days(iquitos, replace(file, unit="kWh")).values.sum() == pytest.approx(12.37e6, rel=0.002)
    refusal(lambda: load_days(iquitos, replace(file, interval_minutes=60.0)), "found a row every 15 minutes, expected")


@needs_data
def test_the_measured_weather_of_iquitos(iquitos: Site) -> None:
    path: Any = DATA / "iquitos_weather_hourly_2024.csv"
    irradiance = ("ghi_wm2", "dni_wm2", "dhi_wm2")
    file = WeatherFile(path, "csv", "datetime", *irradiance, wind_speed_m_per_s="wind_speed_ms")
    days = weather_days(iquitos, file)
    assert days.values.shape == (364, 24, 5)  # 8,760 hours of a leap year, less 29 February
    assert days.values[..., 0].sum() / 1000 == pytest.approx(1668 - 5.89, abs=0.5)  # which had 5.89 kWh/m2
    assert days.values[..., 4].min() >= 0.0

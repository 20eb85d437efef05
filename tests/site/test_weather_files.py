"""EPW, TMY3, PVGIS and NSRDB files, written here: each gives back the weather that went in, at its own time of day."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from litgrid.errors import InputError
from litgrid.site.measured import weather_days
from litgrid.site.site import Site, WeatherFile

SkyAt = Callable[[pd.DatetimeIndex], pd.DataFrame]
Format = Literal["csv", "epw", "tmy3", "pvgis", "nsrdb"]

YEARS = [2011, 2012, 2008, 2011, 2015, 2009, 2009, 2012, 2014, 2010, 2006, 2013]  # of a typical year's months


def epw(rows: pd.DataFrame) -> str:
    """Hours of local standard time, numbered from 1 at their end."""
    lines = ["LOCATION,Iquitos,-,PER,made,0,-3.75,-73.25,-5.0,104.0", *["-"] * 7]
    for start, row in zip(pd.DatetimeIndex(rows.index), rows.itertuples(index=False), strict=True):
        fields: list[object] = ["0"] * 35
        fields[:5] = [YEARS[start.month - 1], start.month, start.day, start.hour + 1, 0]
        fields[6], fields[13:16], fields[21] = row.temp_air_c, row[:3], row.wind_speed_m_per_s
        lines.append(",".join(map(str, fields)))
    return "\n".join(lines) + "\n"


def tmy3(rows: pd.DataFrame) -> str:
    """Hours of local standard time, stamped 01:00 to 24:00 at their end."""
    lines = [
        '0,"IQUITOS",PE,-5.0,-3.75,-73.25,104',
        "Date (MM/DD/YYYY),Time (HH:MM),GHI (W/m^2),DNI (W/m^2),DHI (W/m^2),",
    ]
    lines[1] += "Dry-bulb (C),Wspd (m/s)"
    for start, row in zip(pd.DatetimeIndex(rows.index), rows.itertuples(index=False), strict=True):
        date = f"{start.month:02d}/{start.day:02d}/{YEARS[start.month - 1]}"
        lines.append(f"{date},{start.hour + 1:02d}:00," + ",".join(map(str, row)))
    return "\n".join(lines) + "\n"


def nsrdb(rows: pd.DataFrame) -> str:
    """Middles of hours of local standard time."""
    lines = [
        "Source,Location ID,Latitude,Longitude,Time Zone,Elevation,Local Time Zone",
        "NSRDB,1,-3.75,-73.25,-5,104,-5",
    ]
    lines.append("Year,Month,Day,Hour,Minute,GHI,DNI,DHI,Temperature,Wind Speed")
    for start, row in zip(pd.DatetimeIndex(rows.index), rows.itertuples(index=False), strict=True):
        lines.append(f"2019,{start.month},{start.day},{start.hour},30," + ",".join(map(str, row)))
    return "\n".join(lines) + "\n"


def pvgis_stamp(utc: pd.Timestamp) -> str:
    return f"{YEARS[utc.month - 1]}{utc:%m%d:%H}00"


def pvgis_csv(rows: pd.DataFrame) -> str:
    """Hours in UTC, whose values hold a quarter of an hour later."""
    lines = ["Latitude (decimal degrees): -3.750", "Longitude (decimal degrees): -73.250", "Elevation (m): 104.0"]
    lines += ["Irradiance Time Offset (h): 0.25", "month,year", *(f"{month + 1},{YEARS[month]}" for month in range(12))]
    lines.append("time(UTC),G(h),Gb(n),Gd(h),T2m,WS10m")
    for utc, row in zip(pd.DatetimeIndex(rows.index), rows.itertuples(index=False), strict=True):
        lines.append(pvgis_stamp(utc) + "," + ",".join(map(str, row)))
    return "\r\n".join(lines) + "\r\n"


def pvgis_json(rows: pd.DataFrame) -> str:
    """Hours in UTC, with instantaneous values."""
    keys = ("G(h)", "Gb(n)", "Gd(h)", "T2m", "WS10m")
    tmy = [
        {"time(UTC)": pvgis_stamp(utc), **dict(zip(keys, row, strict=True))}
        for utc, row in zip(pd.DatetimeIndex(rows.index), rows.itertuples(index=False), strict=True)
    ]
    outputs = {"months_selected": [], "tmy_hourly": tmy}
    return json.dumps({"inputs": {"location": {}}, "outputs": outputs, "meta": {"inputs": {}}})


# Format, suffix, writer, whether it is in UTC, minutes from the stamped hour to the instant of its values.
CASES: dict[str, tuple[Format, str, Callable[[pd.DataFrame], str], str, float]] = {
    "epw": ("epw", "epw", epw, "Etc/GMT+5", 30.0),
    "tmy3": ("tmy3", "csv", tmy3, "Etc/GMT+5", 30.0),
    "nsrdb": ("nsrdb", "csv", nsrdb, "Etc/GMT+5", 30.0),
    "pvgis csv": ("pvgis", "csv", pvgis_csv, "UTC", 15.0),
    "pvgis json": ("pvgis", "json", pvgis_json, "UTC", 0.0),
}


@pytest.mark.parametrize("case", CASES)
def test_formats_give_the_same_columns(iquitos: Site, sky_at: SkyAt, tmp_path: Path, case: str) -> None:
    format_, suffix, write, zone, minutes = CASES[case]
    hours = pd.date_range("2019-01-01", periods=8760, freq="h", tz=zone)
    rows = sky_at(hours + pd.Timedelta(minutes=minutes)).set_index(hours)
    path: Any = tmp_path / f"weather.{suffix}"
    path.write_text(write(rows), encoding="utf-8", newline="")
    days = weather_days(iquitos, WeatherFile(path, format_))
    assert len(days.dates) in (364, 365)  # a year in UTC begins and ends within a local day
    exact = _hourly_means(sky_at, days.dates)
    assert np.abs(days.values[..., :3] - exact).max() < 40.0  # W/m2, DNI at sunrise
    np.testing.assert_allclose(days.values[..., :3].mean(axis=(0, 1)), exact.mean(axis=(0, 1)), rtol=0.01)
    np.testing.assert_allclose(days.values[..., 3:], np.broadcast_to([25.0, 1.0], (*days.values.shape[:2], 2)))


def _hourly_means(sky_at: SkyAt, dates: pd.DatetimeIndex) -> np.ndarray[Any, Any]:
    """What the writers' weather is between their stamps, [days, 24, 3]."""
    offsets = pd.to_timedelta(np.tile(np.arange(450, 86_400, 900), len(dates)), unit="s")
    middles = (dates.repeat(96) + offsets).tz_localize("Etc/GMT+5")
    means: np.ndarray[Any, Any] = sky_at(middles).to_numpy()[:, :3].reshape(len(dates), 24, 4, 3).mean(axis=2)
    return means


@pytest.mark.parametrize("format_", ["epw", "tmy3", "pvgis", "nsrdb"])
def test_a_file_of_another_format_is_refused(iquitos: Site, tmp_path: Path, format_: Format) -> None:
    path: Any = tmp_path / "weather.csv"
    path.write_text("datetime,ghi\n2019-01-01,1\n2019-01-02,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"weather.csv: found .*, expected a {format_} file") as caught:
        weather_days(iquitos, WeatherFile(path, format_))
    assert "\n" not in str(caught.value)


def test_missing_values_of_epw_are_refused(
    iquitos: Site, sky_at: SkyAt, hours: pd.DatetimeIndex, tmp_path: Path
) -> None:
    rows = sky_at(hours)
    rows.iloc[9, 0] = 9999.0
    path: Any = tmp_path / "weather.epw"
    path.write_text(epw(rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"weather.epw, line 18, ghi: found 9999.*, expected a number from 0 to 1600"):
        weather_days(iquitos, WeatherFile(path, "epw"))


def test_a_missing_file_is_refused(iquitos: Site, tmp_path: Path) -> None:
    path: Any = tmp_path / "none.epw"
    with pytest.raises(InputError, match=r"none.epw: found no such file, expected measured weather \(epw\)"):
        weather_days(iquitos, WeatherFile(path, "epw"))

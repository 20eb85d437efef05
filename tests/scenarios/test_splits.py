"""Train, validation and test share no real day, where years are resampled from measured files, forecasts included."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from litgrid.scenarios.build import build
from litgrid.scenarios.leaks import QUANTITIES, leaks
from litgrid.scenarios.scenario_set import SPLITS, ScenarioSet, Split
from litgrid.site.measured import load_days, weather_days
from litgrid.site.resample import split_mask
from litgrid.site.site import Load, LoadFile, Photovoltaics, Site, Weather, WeatherFile, Years, replace
from litgrid.site.sky import sky

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
Days = NDArray[np.int64]


def days_of(scenarios: ScenarioSet, key: str, real: NDArray[Any]) -> Days:
    """Number of the real day behind each day of a series, [S x 365], by its values [real days, steps]."""
    number = {day.tobytes(): number for number, day in enumerate(real.astype(np.float32))}
    days = scenarios.series[key].numpy().reshape(-1, real.shape[1])
    return np.array([number[day.tobytes()] for day in days])


def marked_load(folder: Path) -> LoadFile:
    """A measured year in which every day has its own mean."""
    hours = pd.date_range("2024-01-01", periods=8784, freq="h")
    load = 10.0 + 0.05 * np.asarray(hours.dayofyear) + 3.0 * np.sin(np.asarray(hours.hour) / 24 * 2 * np.pi)
    path: Any = folder / "load.csv"
    pd.DataFrame({"time": hours.strftime("%Y-%m-%d %H:%M"), "load": load}).to_csv(path, index=False)
    return LoadFile(path, "time", "load", "kW", 60.0, "start")


def marked_weather(site: Site, folder: Path) -> WeatherFile:
    """A measured year in which every day has its own temperature, and its own share of the clear sky's irradiance."""
    clear = sky(site)
    share = 0.4 + 0.001 * np.asarray(clear.stamps.dayofyear)
    values = {f"{key}_w_per_m2": share * clear.clear[key] for key in ("ghi", "dni", "dhi")}
    table = pd.DataFrame(values, index=clear.stamps)
    table["temp_air_c"], table["wind_speed_m_per_s"] = 10.0 + 0.05 * np.asarray(clear.stamps.dayofyear), 1.0
    path: Any = folder / "weather.csv"
    table[clear.stamps.year == clear.stamps[-1].year].tz_localize(None).to_csv(path, index_label="datetime")
    return WeatherFile(path, "csv", stamp="start")


def splits(site: Site) -> dict[Split, ScenarioSet]:
    return {split: build(site, split) for split in SPLITS}


def assert_apart(found: dict[Split, Days], dates: pd.DatetimeIndex) -> None:
    """Each split has days of its own third alone, and nearly all of them."""
    for split, days in found.items():
        own = np.flatnonzero(split_mask(dates, split))
        assert set(days) <= set(own)
        assert len(set(days)) > 0.6 * len(own)
    sets = [set(days) for days in found.values()]
    assert sum(map(len, sets)) == len(set.union(*sets))


def test_years_from_measured_files_share_no_real_day(small_site: Site, tmp_path: Path) -> None:
    site = replace(
        small_site,
        years=Years(2, 1, 1),
        load=Load(annual_kwh=120_000.0, peak_kw=30.0, file=marked_load(tmp_path)),
        weather=Weather(file=marked_weather(small_site, tmp_path)),
    )
    assert site.load.file is not None
    assert site.weather.file is not None
    load, weather = load_days(site, site.load.file), weather_days(site, site.weather.file)
    built = splits(site)
    for key in ("load_kw", "load_persistence_kw"):  # the lead-in days are of the split, too
        assert_apart({split: days_of(years, key, load.values[..., 0]) for split, years in built.items()}, load.dates)
    temperature = {split: days_of(years, "temp_air_c", weather.values[..., 3]) for split, years in built.items()}
    assert_apart(temperature, weather.dates)
    assert [leak.shared for leak in leaks(built)] == [0] * 7


def test_a_shared_day_would_be_seen(small_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litgrid.site.resample.split_mask", lambda dates, _: np.ones(len(dates), dtype=bool))
    site = replace(small_site, years=Years(1, 1, 1), load=Load(file=marked_load(tmp_path)))
    assert site.load.file is not None
    real = load_days(site, site.load.file)
    with pytest.raises(AssertionError):
        assert_apart({s: days_of(y, "load_kw", real.values[..., 0]) for s, y in splits(site).items()}, real.dates)
    assert {leak.quantity for leak in leaks(splits(site)) if leak.shared > 100} == {"load"}


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured files of shared/data are not here")
def test_years_from_the_measured_load_of_iquitos_share_no_real_day(small_site: Site) -> None:
    path: Any = DATA / "iquitos_mall_demand_15min_2024.csv"
    file = LoadFile(path, "FECHAHORA", "kWh", "kW", 15.0, "end", ";", "%d/%m/%Y %H:%M")
    site = replace(small_site, years=Years(2, 1, 1), load=Load(file=file))
    real, built = load_days(site, file), splits(site)
    assert_apart({split: days_of(years, "load_kw", real.values[..., 0]) for split, years in built.items()}, real.dates)


def test_generated_years_share_no_day(generated: dict[Split, ScenarioSet]) -> None:
    found = {leak.quantity: leak for leak in leaks(generated)}
    assert found.keys() == {*QUANTITIES, "vehicle sessions"}
    assert all(leak.shared == 0 for leak in found.values())
    assert set(found["day-ahead forecast of PV"].days.items()) == {(split, 365) for split in SPLITS}
    assert set(found["load"].days.items()) == {(split, 366) for split in SPLITS}, "and the day before the year"
    assert set(found["vehicle sessions"].days.items()) == {(split, 365) for split in SPLITS}


@pytest.mark.parametrize("key", ["load_kw", "pv_persistence_kw", "temp_air_c", "pv_day_ahead_kw"])
def test_a_day_in_two_splits_is_found(generated: dict[Split, ScenarioSet], key: str) -> None:
    """A day of a training year on another day of a test year."""
    test = dataclasses.replace(generated["test"], series=generated["test"].series.clone())
    test.series[key][0, 24:48] = generated["train"].series[key][0, 240:264]
    found = {leak.quantity: leak.shared for leak in leaks({**generated, "test": test})}
    (quantity,) = (name for name, keys in QUANTITIES.items() if key in keys)
    assert found == dict.fromkeys(found, 0) | {quantity: 1}


def test_a_day_of_sessions_in_two_splits_is_found(generated: dict[Split, ScenarioSet]) -> None:
    train = generated["train"].sessions.clone()
    later = {key: train[key] + 24 for key in ("arrival", "departure")}
    other = dataclasses.replace(generated["test"], sessions=train.update(later))
    found = leaks({**generated, "test": other})[-1]
    assert (found.quantity, found.shared) == ("vehicle sessions", 365)


@pytest.fixture(scope="module")
def generated(small_site: Site) -> dict[Split, ScenarioSet]:
    """A year of each split."""
    return splits(replace(small_site, years=Years(1, 1, 1), pv=Photovoltaics(dc_kwp=40.0, ac_kw=50.0)))

"""Train, validation and test share no real day, where years are resampled from measured files, forecasts included."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from litgrid.scenarios.build import build
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
    """A measured year of clear sky in which every day has its own temperature."""
    clear = sky(site)
    table = pd.DataFrame({f"{key}_w_per_m2": clear.clear[key] for key in ("ghi", "dni", "dhi")}, index=clear.stamps)
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


def test_a_shared_day_would_be_seen(small_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litgrid.site.resample.split_mask", lambda dates, _: np.ones(len(dates), dtype=bool))
    site = replace(small_site, years=Years(1, 1, 1), load=Load(file=marked_load(tmp_path)))
    assert site.load.file is not None
    real = load_days(site, site.load.file)
    with pytest.raises(AssertionError):
        assert_apart({s: days_of(y, "load_kw", real.values[..., 0]) for s, y in splits(site).items()}, real.dates)


@pytest.mark.skipif(not DATA.is_dir(), reason="the measured files of shared/data are not here")
def test_years_from_the_measured_load_of_iquitos_share_no_real_day(small_site: Site) -> None:
    path: Any = DATA / "iquitos_mall_demand_15min_2024.csv"
    file = LoadFile(path, "FECHAHORA", "kWh", "kW", 15.0, "end", ";", "%d/%m/%Y %H:%M")
    site = replace(small_site, years=Years(2, 1, 1), load=Load(file=file))
    real, built = load_days(site, file), splits(site)
    assert_apart({split: days_of(years, "load_kw", real.values[..., 0]) for split, years in built.items()}, real.dates)


@pytest.mark.parametrize("key", ["load_kw", "pv_kw", "load_day_ahead_kw", "pv_day_ahead_kw", "ghi_w_per_m2"])
def test_generated_years_share_no_day(generated: dict[Split, ScenarioSet], key: str) -> None:
    days = np.concatenate([years.series[key].numpy().reshape(-1, 24) for years in generated.values()])
    assert len(np.unique(days, axis=0)) == len(days) == 3 * 365


@pytest.fixture(scope="module")
def generated(small_site: Site) -> dict[Split, ScenarioSet]:
    return splits(replace(small_site, years=Years(1, 1, 1), pv=Photovoltaics(dc_kwp=40.0, ac_kw=50.0)))


def test_generated_sessions_are_drawn_apart(generated: dict[Split, ScenarioSet]) -> None:
    drawn = [set(years.sessions["soc_arrival"][0].tolist()) for years in generated.values()]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert len(drawn[first] & drawn[second]) < 0.05 * len(drawn[first])

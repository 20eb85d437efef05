"""The sites that come with the project: what they share, how they scale, and that each of their years can be had."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from litgrid.errors import InputError
from litgrid.scenarios import store
from litgrid.scenarios.build import build
from litgrid.scenarios.scenario_set import SPLITS
from litgrid.site import vehicles
from litgrid.site.measured import load_days, weather_days
from litgrid.site.resample import split_mask
from litgrid.site.site import Site, Years, read_site, replace
from litgrid.site.sky import sun_and_clear_sky

SITES = Path(__file__).resolve().parents[2] / "configs" / "sites"
MEASURED = "iquitos_measured"


def site(name: str) -> Site:
    return read_site(SITES / f"{name}.yaml")


@pytest.mark.parametrize("path", sorted(SITES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_site_has_its_files_name(path: Path) -> None:
    if path.stem != MEASURED:
        assert read_site(path).name == path.stem


@pytest.mark.parametrize(("name", "share"), [("iquitos_no_battery", 0.0), ("iquitos_quarter_battery", 0.25)])
def test_a_smaller_battery_and_its_rules_are_all_that_differs(name: str, share: float) -> None:
    whole, small = site("iquitos"), site(name)
    battery = whole.battery
    sizes = (share * battery.capacity_kwh, share * battery.power_kw)
    assert (small.battery.capacity_kwh, small.battery.power_kw) == sizes
    assert replace(small, name=whole.name, battery=battery, rules=whole.rules) == whole
    assert (small.rules == whole.rules) is (share == 0.0)  # the rest of a battery has a rule tuned for it
    assert store.key(small) == store.key(whole)  # the same years


@pytest.mark.parametrize(("sockets", "split"), [(38, (33, 5)), (512, (448, 64))])
def test_a_site_of_another_size_is_scaled_alike(sockets: int, split: tuple[int, int]) -> None:
    whole, scaled = site("iquitos_no_battery"), site(f"iquitos_no_battery_{sockets}")
    assert tuple(group.sockets for group in scaled.fleet.groups) == split
    assert scaled.fleet.sockets == sockets
    factor = sockets / 128
    for part, keys in (("pv", ("dc_kwp", "ac_kw")), ("load", ("annual_kwh", "peak_kw"))):
        own, other = getattr(whole, part), getattr(scaled, part)
        grown = {key: factor * getattr(own, key) for key in keys}
        assert other == dataclasses.replace(own, **grown)
    groups = [replace(group, sockets=n) for group, n in zip(whole.fleet.groups, split, strict=True)]
    energy = factor * whole.fleet.energy_kwh_per_day
    assert scaled.fleet == replace(whole.fleet, groups=groups, energy_kwh_per_day=energy)


def test_design_day_vehicles_get_what_they_need() -> None:
    """3,252 kWh a day, all of it possible, most of it by day, with time to spare in every stay."""
    day = site("iquitos_design_day")
    drawn = vehicles.sessions(day, np.random.default_rng(0))
    needs, stay = vehicles.required_kwh(day, drawn), drawn.departure - drawn.arrival
    assert needs.sum() / 365 == pytest.approx(3252, rel=1e-4)
    assert (vehicles.reachable_soc(day, drawn.socket, stay, drawn.soc_arrival) >= drawn.soc_required).all()
    power = vehicles.socket_values(day.fleet, "power_kw")[drawn.socket] * 0.95
    charging_hours = needs / power
    assert (charging_hours < stay * day.step_hours).all()
    assert charging_hours.sum() < 0.75 * stay.sum() * day.step_hours
    by_hour = np.bincount(drawn.arrival % 96 // 4, weights=needs, minlength=24) / 365
    # twice as many come, and some find no free socket
    assert by_hour[10:21].mean() == pytest.approx(2 * by_hour[:10].mean(), rel=0.1)


def test_v2g_is_all_that_its_site_has_beyond_the_design_day() -> None:
    plain, giving = site("iquitos_design_day"), site("iquitos_design_day_v2g")
    groups = [replace(group, v2g=True) for group in plain.fleet.groups]
    assert replace(plain, name=giving.name, fleet=replace(plain.fleet, groups=groups)) == giving
    assert store.key(plain) == store.key(giving)


def copied(folder: Path) -> Path:
    """The measured site in a folder that has no measured files yet."""
    sites = folder / "configs" / "sites"
    sites.mkdir(parents=True)
    for name in ("iquitos", MEASURED):
        (sites / f"{name}.yaml").write_bytes((SITES / f"{name}.yaml").read_bytes())
    return sites / f"{MEASURED}.yaml"


def test_missing_measured_files_are_named_with_their_place(tmp_path: Path) -> None:
    path = copied(tmp_path)
    with pytest.raises(InputError) as raised:
        read_site(path)
    found = re.search(
        r"(weather|load)\.file\.path: found no file (.+), expected one that can be read", str(raised.value)
    )
    assert found is not None
    name = {"weather": "iquitos_weather_hourly_2024.csv", "load": "iquitos_mall_demand_15min_2024.csv"}[found[1]]
    assert (path.parent / found[2]).resolve() == (tmp_path / "data" / "measured" / name).resolve()
    assert "\n" not in str(raised.value)


def write_measured(folder: Path) -> None:
    """Files in the columns of the measured ones: a leap year in which every day has its own temperature and load."""
    folder.mkdir(parents=True)
    hours = pd.date_range("2024-01-01", periods=8784, freq="h", tz="Etc/GMT+5")
    clear = 0.7 * sun_and_clear_sky(site("iquitos").location, hours)
    table = pd.DataFrame({f"{key}_wm2": clear[key] for key in ("ghi", "dni", "dhi")})
    table["temp_air_c"], table["wind_speed_ms"] = 10.0 + 0.05 * np.asarray(hours.dayofyear), 1.0
    table.round(3).to_csv(folder / "iquitos_weather_hourly_2024.csv", index_label="datetime")
    ends = pd.date_range("2024-01-01 00:15", periods=366 * 96, freq="15min")
    day = np.arange(len(ends)) // 96
    load = pd.DataFrame({"FECHAHORA": ends.strftime("%d/%m/%Y %H:%M"), "kWh": 100.0 + day})
    load.to_csv(folder / "iquitos_mall_demand_15min_2024.csv", sep=";", index=False)


def test_measured_years_share_no_real_day(tmp_path: Path) -> None:
    """Neither of load nor of weather, seven lead-in days included; forecasts are there as for generated years."""
    path = copied(tmp_path)
    write_measured(tmp_path / "data" / "measured")
    measured = replace(read_site(path), years=Years(1, 1, 1))
    assert measured.load.file is not None
    assert measured.weather.file is not None
    load, weather = load_days(measured, measured.load.file), weather_days(measured, measured.weather.file)
    for split in SPLITS:
        series = build(measured, split).series
        for key, days, column in (("load_kw", load, 0), ("load_persistence_kw", load, 0), ("temp_air_c", weather, 3)):
            own = days.values[split_mask(days.dates, split)][:, 12, column].astype(np.float32)
            noon = series[key].reshape(365, 24)[:, 12].numpy()
            assert set(noon) <= set(own), (split, key)
            assert len(set(noon)) > 0.6 * len(own)
        assert (series["load_day_ahead_kw"] != series["load_kw"]).any()
        assert (series["pv_day_ahead_kw"] != series["pv_kw"]).any()

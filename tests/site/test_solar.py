"""The PV plant: by hand where the chain is simple, at known answers right and wrong, and physical everywhere."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from litgrid.errors import InputError
from litgrid.site import solar, weather
from litgrid.site.measured import weather_days
from litgrid.site.site import Battery, Location, Photovoltaics, Site, Weather, WeatherFile
from litgrid.site.sky import sky
from litgrid.site.strings import named_system
from litgrid.site.weather_files import COLUMNS

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the measured files of shared/data are not here")

KYOCERA, EATON = "Kyocera_Solar_KS20__2008__E__", "Eaton__Xpert1670"


def grey_noons(site: Site, dhi: float) -> pd.DataFrame:
    """The hours from 12 to 13 of a year under a grey sky; air at 25 degrees C, wind at 1 m/s."""
    stamps = sky(site).stamps[sky(site).stamps.hour == 12]
    irradiance = {"ghi_w_per_m2": dhi, "dni_w_per_m2": 0.0, "dhi_w_per_m2": dhi}
    return pd.DataFrame({**irradiance, "temp_air_c": 25.0, "wind_speed_m_per_s": 1.0}, index=stamps)


def named(site: Site) -> Site:
    return replace(site, pv=replace(site.pv, module=KYOCERA, inverter=EATON))


@pytest.fixture(scope="module")
def year(iquitos: Site) -> pd.DataFrame:
    return weather.years(iquitos, "train", 1, np.random.default_rng(0))[0]


@pytest.mark.parametrize("by_name", [False, True])
def test_a_year_is_what_the_plant_can_give(iquitos: Site, year: pd.DataFrame, by_name: bool) -> None:
    site = named(iquitos) if by_name else iquitos
    ac_kw = solar.ac_power_kw(site, year)
    assert 4.5e6 < ac_kw[7 * 24 :].sum() < 5.4e6
    assert 0.70 < solar.performance_ratio(site, ac_kw, year) < 0.80
    assert ac_kw.min() >= 0
    assert ac_kw.max() <= 3201.0
    assert (ac_kw[sky(site).highest_elevation_deg < 0] == 0).all()


def test_diffuse_light_by_hand(iquitos: Site) -> None:
    """On flat modules under a grey sky nothing is left to geometry."""
    site = replace(iquitos, pv=replace(iquitos.pv, tilt_deg=0.0))
    noons = grey_noons(site, dhi=200.0)
    np.testing.assert_allclose(solar.plane_of_array_w_per_m2(site, noons), 200.0)
    cell_c = 25.0 + 200.0 * np.exp(-3.47 - 0.0594) + 0.2 * 3.0  # Sandia's temperature model: glass on an open rack
    dc_kw = 4162.0 * 0.2 * (1 - 0.0047 * (cell_c - 25.0)) * (1 - 0.136)
    load = dc_kw / (3201.0 / 0.96)
    efficiency = 0.96 / 0.9637 * (-0.0162 * load - 0.0059 / load + 0.9858)  # PVWatts, equation 11
    np.testing.assert_allclose(solar.ac_power_kw(site, noons), dc_kw * efficiency, rtol=0.001)


def test_plants_add_up(iquitos: Site, year: pd.DataFrame) -> None:
    """Two inverters of a half each are one of the whole; a plant of half the size gives half."""
    whole = solar.ac_power_kw(iquitos, year)
    single = solar.ac_power_kw(replace(iquitos, pv=replace(iquitos.pv, inverters=1)), year)
    half = solar.ac_power_kw(replace(iquitos, pv=replace(iquitos.pv, dc_kwp=2081.0, ac_kw=1600.5)), year)
    np.testing.assert_allclose(single, whole, rtol=1e-9)
    np.testing.assert_allclose(2 * half, whole, rtol=1e-9)


def test_the_inverters_limit_is_a_clip(iquitos: Site, year: pd.DataFrame) -> None:
    tight = replace(iquitos, pv=replace(iquitos.pv, ac_kw=2500.0))
    ac_kw = solar.ac_power_kw(tight, year)
    assert ac_kw.max() == pytest.approx(2500.0)
    assert ac_kw.sum() < solar.ac_power_kw(iquitos, year).sum()


def test_no_plant_gives_no_power(iquitos: Site, year: pd.DataFrame) -> None:
    without = replace(iquitos, pv=Photovoltaics(dc_kwp=0.0, ac_kw=0.0))
    np.testing.assert_array_equal(solar.ac_power_kw(without, year), 0.0)


def test_power_is_a_mean_over_the_step(iquitos: Site) -> None:
    """A plant without a clip gives the same energy at hourly steps and at quarters of an hour, within 1 %."""
    energy = []
    for step_seconds in (3600, 900):
        site = replace(iquitos, step_seconds=step_seconds)
        clear = weather.years(site, "train", 1, np.random.default_rng(0))[0]
        energy.append(solar.ac_power_kw(site, clear).mean())
    assert energy[0] == pytest.approx(energy[1], rel=0.01)


def test_a_tilt_towards_the_sun_gives_more() -> None:
    oslo = Location(59.9, 10.7, 20.0, "Europe/Oslo")
    energies = []
    for azimuth in (0.0, 180.0):
        pv = Photovoltaics(dc_kwp=10.0, ac_kw=8.0, tilt_deg=30.0, azimuth_deg=azimuth, losses_percent=10.0)
        site = Site("oslo", oslo, pv, Battery(0.0, 0.0), weather=Weather(ghi_kwh_per_m2=950.0))
        energies.append(solar.ac_power_kw(site, weather.years(site, "train", 1, np.random.default_rng(0))[0]).sum())
    assert energies[1] > 1.5 * energies[0]


def test_performance_ratio_by_hand(iquitos: Site) -> None:
    """500 W/m2 on flat modules, and 1,040.5 of 4,162 kW: a half."""
    site = replace(iquitos, pv=replace(iquitos.pv, tilt_deg=0.0))
    noons = grey_noons(site, dhi=500.0)
    assert solar.performance_ratio(site, np.full(len(noons), 1040.5), noons) == pytest.approx(0.5)


def test_the_known_wrong_answer_is_refused(iquitos: Site, year: pd.DataFrame) -> None:
    """8.29 GWh of a 4,162 kWp plant, which has both inverters' strings on each of the two."""
    right = solar.ac_power_kw(iquitos, year)
    wrong = right * 8.29e6 / right[7 * 24 :].sum()
    roomy = replace(iquitos, pv=replace(iquitos.pv, ac_kw=6000.0))
    with pytest.raises(InputError, match=r"pv: found a performance ratio of 1\.\d\d .*, expected 0.60 to 0.95"):
        solar.check(roomy, wrong, year)


def test_too_little_is_refused(iquitos: Site, year: pd.DataFrame) -> None:
    lossy = replace(iquitos, pv=replace(iquitos.pv, losses_percent=40.0))
    with pytest.raises(InputError, match=r"found a performance ratio of 0\.5\d"):
        solar.ac_power_kw(lossy, year)


def test_more_than_the_inverters_is_refused(iquitos: Site, year: pd.DataFrame) -> None:
    ac_kw = solar.ac_power_kw(iquitos, year)
    ac_kw[ac_kw.argmax()] = 3300.0
    with pytest.raises(InputError, match=r"pv.ac_kw: found 3300.0 kW, expected 3201"):
        solar.check(iquitos, ac_kw, year)


def test_sun_at_night_is_refused(iquitos: Site, year: pd.DataFrame) -> None:
    shifted = pd.DataFrame(np.roll(year.to_numpy(), 5, axis=0), index=year.index, columns=year.columns)
    with pytest.raises(InputError, match=r"W/m2 and .* kW of PV on .* with the sun .* degrees down, expected none"):
        solar.ac_power_kw(iquitos, shifted)


def test_rows_outside_the_calendar_are_an_error(iquitos: Site, year: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="is not a step of the site's calendar"):
        solar.ac_power_kw(iquitos, year.set_index(pd.DatetimeIndex(year.index) + pd.Timedelta(minutes=1)))


def test_strings_by_hand(iquitos: Site) -> None:
    """613 V / 17.4 V = 35.2 modules, but 800 V / (21.7 V + 15 K x 0.0821 V/K) = 34.9, and 34 x 20.184 W = 686.3 W."""
    system = named_system(named(iquitos).pv, coldest_c=10.0)
    array = system.arrays[0]
    assert (array.modules_per_string, array.strings) == (34, 3032)  # 2,081 kWp / 0.6863 kWp


def test_unfit_names_are_refused(iquitos: Site, year: pd.DataFrame) -> None:
    def refuse(expected: str, **changes: Any) -> None:
        site = replace(iquitos, pv=replace(named(iquitos).pv, **changes))
        with pytest.raises(InputError, match=expected):
            solar.ac_power_kw(site, year)

    refuse(r"pv.module: found Kyocera_KS20, which SandiaMod does not have, expected .*Kyocera", module="Kyocera_KS20")
    refuse(r"pv.inverter: found Eaton, which CECInverter does not have", inverter="Eaton")
    refuse(r"pv.inverters: found 1 x Eaton__Xpert1670 \(1671 kW\), expected as many as", inverters=1)
    refuse(r"pv.dc_kwp: found 1 kWp, nearest is 1.37", dc_kwp=1.0, ac_kw=1.0)


@needs_data
@pytest.mark.parametrize("by_name", [False, True])
def test_the_measured_year_of_iquitos(iquitos: Site, by_name: bool) -> None:
    path: Any = DATA / "iquitos_weather_hourly_2024.csv"
    irradiance = ("ghi_wm2", "dni_wm2", "dhi_wm2")
    file = WeatherFile(path, "csv", "datetime", *irradiance, wind_speed_m_per_s="wind_speed_ms")
    site, real = named(iquitos) if by_name else iquitos, weather_days(iquitos, file)
    rows = sky(site).stamps[7 * 24 :][: real.values.shape[0] * 24]
    measured = pd.DataFrame(real.values.reshape(len(rows), 5), index=rows, columns=list(COLUMNS))
    ac_kw = solar.ac_power_kw(site, measured)
    assert ac_kw.mean() * 8760 == pytest.approx(5.2e6, rel=0.01)
    assert solar.performance_ratio(site, ac_kw, measured) == pytest.approx(0.74, abs=0.005)

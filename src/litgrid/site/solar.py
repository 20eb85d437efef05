"""The photovoltaic plant: pvlib's ModelChain of one inverter and its strings, counted as often as there are inverters.

Irradiance of a step is spread over its sub-steps as the clear sky is, so that the sun stands where it does within the
step; power is averaged over the sub-steps. By default with the parameters of PVWatts (Dobos 2014, NREL/TP-6A20-62641);
with a module and an inverter by name with the Sandia models (King et al. 2004 and 2007).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pvlib
from numpy.typing import NDArray
from pvlib.modelchain import ModelChain

from litgrid.errors import InputError
from litgrid.site.process import Array
from litgrid.site.site import Site
from litgrid.site.sky import DARK_DEG, place, sky
from litgrid.site.strings import named_system, pvwatts_system

PERFORMANCE_RATIO = (0.60, 0.95)
"""A plant's yearly performance ratio is between these, or its size, weather or clock is wrong."""

NIGHT_DROP_K = 15.0
"""How far a cold night is below the mean of the coldest month; strings have to stand cells as cold as that."""


def ac_power_kw(site: Site, weather: pd.DataFrame) -> Array:
    """AC power of the plant in kW, mean over each step, [rows of weather]; what inverters draw at night is left out.

    Args:
        site: whose plant it is.
        weather: rows of ``weather.years``.

    Raises:
        InputError: the plant's parameters don't fit together, or the result fails ``check``.
    """
    power = _power_kw(site, weather)
    if site.pv.dc_kwp > 0 and site.pv.ac_kw > 0:
        check(site, power, weather)
    return power


def clear_power_kw(site: Site, weather: pd.DataFrame) -> Array:
    """AC power of the plant under a clear sky in kW, at the weather's temperature and wind; as ``ac_power_kw``."""
    clear, rows = sky(site).clear, _rows(site, weather)
    return _power_kw(site, weather.assign(**{f"{key}_w_per_m2": clear[key][rows] for key in ("ghi", "dni", "dhi")}))


def _power_kw(site: Site, weather: pd.DataFrame) -> Array:
    """AC power of the plant in kW, mean over each step, unchecked, [rows of weather]."""
    if site.pv.dc_kwp == 0 or site.pv.ac_kw == 0:
        return np.zeros(len(weather))
    chain = _chain(site)
    chain.run_model(_substeps(site, weather))
    watts = np.nan_to_num(np.asarray(chain.results.ac, dtype=np.float64)).clip(0) * site.pv.inverters
    power: Array = np.minimum(watts / 1000, site.pv.ac_kw).reshape(len(weather), -1).mean(axis=1)
    return power


def performance_ratio(site: Site, ac_kw: Array, weather: pd.DataFrame) -> float:
    """AC energy over what the DC nameplate would give at the efficiency of standard test conditions (IEC 61724-1).

    Args:
        site: whose plant it is.
        ac_kw: AC power, [rows of weather].
        weather: rows of ``weather.years``.

    Returns:
        Sum of AC power / (sum of irradiance on the modules x nameplate DC power / 1 kW/m2); NaN without sun.
    """
    nominal_kw = float(plane_of_array_w_per_m2(site, weather).mean()) / 1000 * site.pv.dc_kwp
    return float(ac_kw.mean()) / nominal_kw if nominal_kw > 0 else float("nan")


def plane_of_array_w_per_m2(site: Site, weather: pd.DataFrame) -> Array:
    """Irradiance on the modules (Perez et al. 1990), mean over each step, [rows of weather].

    Args:
        site: whose plant it is.
        weather: rows of ``weather.years``.
    """
    fine = _substeps(site, weather)
    sun = _sun(site, weather)
    plane = pvlib.irradiance.get_total_irradiance(
        site.pv.tilt_deg,
        site.pv.azimuth_deg,
        sun["apparent_zenith"],
        sun["azimuth"],
        *(fine[key] for key in ("dni", "ghi", "dhi")),
        dni_extra=pvlib.irradiance.get_extra_radiation(fine.index),
        airmass=pvlib.atmosphere.get_relative_airmass(sun["apparent_zenith"]),
        model="perez",
    )["poa_global"]
    means: Array = plane.fillna(0).to_numpy().reshape(len(weather), -1).mean(axis=1)
    return means


def check(site: Site, ac_kw: Array, weather: pd.DataFrame) -> None:
    """Check PV power against what is physically possible.

    Raises:
        InputError: PV power at night, above the inverters' limit, or at a performance ratio that no plant has.
    """
    highest = sky(site).highest_elevation_deg[_rows(site, weather)]
    ghi = weather["ghi_w_per_m2"].to_numpy()
    dark = np.flatnonzero((highest < DARK_DEG) & ((ac_kw > 0) | (ghi > 0)))
    if len(dark):
        row, when = (
            dark[0],
            f"on {weather.index[dark[0]]:%d %B at %H:%M} with the sun {-highest[dark[0]]:.0f} degrees down",
        )
        raise InputError(
            f"site {site.name}, weather: found {ghi[row]:g} W/m2 and {ac_kw[row]:g} kW of PV {when}, expected none "
            f"(is the weather in standard time of {site.location.timezone}?)"
        )
    if ac_kw.max() > site.pv.ac_kw * (1 + 1e-9):
        raise InputError(f"site {site.name}, pv.ac_kw: found {ac_kw.max():.1f} kW, expected {site.pv.ac_kw} at most")
    ratio, (low, high) = performance_ratio(site, ac_kw, weather), PERFORMANCE_RATIO
    if not (low <= ratio <= high or np.isnan(ratio)):
        found = f"a performance ratio of {ratio:.2f} ({ac_kw.mean() / site.pv.dc_kwp * 8760:.0f} kWh a year per kWp)"
        expected = f"{low:.2f} to {high:.2f} (are dc_kwp, ac_kw, inverters and losses_percent of the whole plant?)"
        raise InputError(f"site {site.name}, pv: found {found}, expected {expected}")


def _sun(site: Site, weather: pd.DataFrame) -> pd.DataFrame:
    """Sun position and clear sky at the sub-steps of the weather's rows."""
    above, rows = sky(site), _rows(site, weather)
    return above.fine.iloc[(rows[:, None] * above.substeps + np.arange(above.substeps)).ravel()]


def _rows(site: Site, weather: pd.DataFrame) -> NDArray[np.int64]:
    """Rows of the site's calendar that the weather's stamps are."""
    rows: NDArray[np.int64] = sky(site).stamps.get_indexer(weather.index)
    if (rows < 0).any():
        raise ValueError(f"{weather.index[int(np.argmin(rows))]} is not a step of the site's calendar")
    return rows


def _substeps(site: Site, weather: pd.DataFrame) -> pd.DataFrame:
    """Weather at the middles of the sub-steps; irradiance has the shape of the clear sky within its step."""
    sun, substeps = _sun(site, weather), sky(site).substeps
    columns = {"temp_air": "temp_air_c", "wind_speed": "wind_speed_m_per_s"}
    fine = {key: np.repeat(weather[column].to_numpy(), substeps) for key, column in columns.items()}
    for key in ("ghi", "dni", "dhi"):
        clear = sun[key].to_numpy().reshape(len(weather), substeps)
        mean = clear.mean(axis=1, keepdims=True)
        share = np.divide(clear, mean, out=np.ones_like(clear), where=mean > 0)
        fine[key] = (weather[f"{key}_w_per_m2"].to_numpy()[:, None] * share).ravel()
    return pd.DataFrame(fine, index=sun.index)


def _chain(site: Site) -> ModelChain:
    """The model chain of one inverter and its strings."""
    pv = site.pv
    by_name = pv.module is not None
    system = named_system(pv, min(site.weather.temp_air_c) - NIGHT_DROP_K) if by_name else pvwatts_system(pv)

    def lose(chain: ModelChain) -> None:
        if by_name:  # a table whose voltages the losses leave as they are
            chain.results.dc["p_mp"] *= 1 - pv.losses_percent / 100
        else:
            chain.results.dc *= 1 - pv.losses_percent / 100

    return ModelChain(
        system,
        place(site.location),
        dc_model="sapm" if by_name else "pvwatts",
        ac_model="sandia" if by_name else "pvwatts",
        transposition_model="perez",
        aoi_model="physical",
        spectral_model="no_loss",
        temperature_model="sapm",
        losses_model=lose,
    )

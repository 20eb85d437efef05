"""One inverter and the strings on it, as pvlib has them: PVWatts' figures, or a module and an inverter by name."""

from __future__ import annotations

import difflib
import functools

import pandas as pd
import pvlib
from pvlib.pvsystem import Array, FixedMount, PVSystem
from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

from litgrid.errors import InputError
from litgrid.site.site import Photovoltaics

# PVWatts Version 5 (Dobos 2014, NREL/TP-6A20-62641): module type "standard" and the inverter's nominal efficiency.
GAMMA_PDC_PER_K = -0.0047
INVERTER_EFFICIENCY = 0.96
RACK = TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_glass"]
STC_TEMPERATURE_C = 25.0
STRING_TOLERANCE = 0.05
"""How far whole strings may miss the nameplate power."""


def pvwatts_system(pv: Photovoltaics) -> PVSystem:
    """One inverter and its modules with PVWatts' parameters; the inverter gives its share of the plant's AC power."""
    dc_watts, ac_watts = pv.dc_kwp * 1000 / pv.inverters, pv.ac_kw * 1000 / pv.inverters
    module = {"pdc0": dc_watts, "gamma_pdc": GAMMA_PDC_PER_K}
    inverter = {"pdc0": ac_watts / INVERTER_EFFICIENCY, "eta_inv_nom": INVERTER_EFFICIENCY}
    return PVSystem([_array(pv, module, 1, 1)], inverter_parameters=inverter)


def named_system(pv: Photovoltaics, coldest_c: float) -> PVSystem:
    """One inverter and its strings, by their names in pvlib's databases SandiaMod and CECInverter.

    Args:
        pv: the plant; its module and inverter have names.
        coldest_c: lowest cell temperature at which the strings must stay below the inverter's highest voltage.

    Raises:
        InputError: a name is unknown, the inverters are too small for the plant, or no whole number of strings on an
            inverter comes near the nameplate power.
    """
    module = _parameters("SandiaMod", "pv.module", str(pv.module))
    inverter = _parameters("CECInverter", "pv.inverter", str(pv.inverter))
    rated_kw = inverter["Paco"] * pv.inverters / 1000
    if rated_kw < pv.ac_kw * 0.999:
        found = f"{pv.inverters} x {pv.inverter} ({rated_kw:g} kW)"
        raise InputError(f"site, pv.inverters: found {found}, expected as many as pv.ac_kw ({pv.ac_kw:g} kW) needs")
    modules, strings = size_strings(pv, module, inverter, coldest_c)
    return PVSystem([_array(pv, dict(module), modules, strings)], inverter_parameters=dict(inverter))


def size_strings(
    pv: Photovoltaics, module: pd.Series[float], inverter: pd.Series[float], coldest_c: float
) -> tuple[int, int]:
    """Modules in a string and strings on one inverter.

    A string works at the inverter's nominal voltage, and stays below its highest when it is cold and open.

    Args:
        pv: the plant.
        module: Sandia parameters.
        inverter: CEC parameters.
        coldest_c: lowest cell temperature.

    Raises:
        InputError: no whole number of strings comes near the nameplate power.
    """
    open_volts = module["Voco"] + module["Bvoco"] * (coldest_c - STC_TEMPERATURE_C)
    modules = max(1, int(min(inverter["Vdco"] / module["Vmpo"], inverter["Vdcmax"] / open_volts)))
    string_kwp = modules * module["Vmpo"] * module["Impo"] / 1000
    strings = max(1, round(pv.dc_kwp / pv.inverters / string_kwp))
    nameplate_kwp = strings * string_kwp * pv.inverters
    if abs(nameplate_kwp / pv.dc_kwp - 1) > STRING_TOLERANCE:
        found = f"{pv.dc_kwp:g} kWp, nearest is {nameplate_kwp:g} kWp ({strings} strings of {modules} on each inverter)"
        raise InputError(f"site, pv.dc_kwp: found {found}, expected whole strings of {string_kwp:g} kWp")
    return modules, strings


def _array(pv: Photovoltaics, module: dict[str, float], modules: int, strings: int) -> Array:
    return Array(
        FixedMount(pv.tilt_deg, pv.azimuth_deg),
        module_parameters=module,
        temperature_model_parameters=RACK,
        modules_per_string=modules,
        strings=strings,
    )


@functools.lru_cache
def _database(name: str) -> pd.DataFrame:
    table: pd.DataFrame = pvlib.pvsystem.retrieve_sam(name)
    return table


def _parameters(database: str, key: str, name: str) -> pd.Series[float]:
    """Parameters by name.

    Raises:
        InputError: there is no such name.
    """
    table = _database(database)
    if name not in table:
        near = ", ".join(difflib.get_close_matches(name, table.columns, n=3)) or "a name in its list"
        raise InputError(f"site, {key}: found {name}, which {database} does not have, expected for instance {near}")
    numeric = pd.to_numeric(table[name], errors="coerce").dropna()
    return pd.Series({str(key): float(value) for key, value in numeric.items()})

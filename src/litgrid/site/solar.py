"""The photovoltaic plant: pvlib's ModelChain of one inverter and its strings, counted as often as there are inverters.

Irradiance of a step is spread over its sub-steps as the clear sky is, so that the sun stands where it does within the
step; power is averaged over the sub-steps.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pvlib.modelchain import ModelChain
from pvlib.pvsystem import Array as PVArray
from pvlib.pvsystem import FixedMount, PVSystem
from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

from litgrid.site.process import Array
from litgrid.site.site import Photovoltaics, Site
from litgrid.site.sky import place, sky

GAMMA_PDC = -0.004  # of crystalline silicon, 1/K
INVERTER_EFFICIENCY = 0.96  # nominal, PVWatts
RACK = TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_glass"]


def ac_power_kw(site: Site, weather: pd.DataFrame) -> Array:
    """AC power of the plant in kW, mean over each step, [rows of weather].

    Args:
        site: whose plant it is.
        weather: rows of ``weather.years``.
    """
    if site.pv.dc_kwp == 0 or site.pv.ac_kw == 0:
        return np.zeros(len(weather))
    chain = _chain(site)
    chain.run_model(_substeps(site, weather))
    watts = np.nan_to_num(np.asarray(chain.results.ac)).reshape(len(weather), -1).mean(axis=1)
    # the night consumption of the inverters is left out: PV is a generation
    power: Array = np.clip(watts * site.pv.inverters / 1000, 0, site.pv.ac_kw)
    return power


def _substeps(site: Site, weather: pd.DataFrame) -> pd.DataFrame:
    """Weather at the middles of the sub-steps; irradiance has the shape of the clear sky within its step."""
    above = sky(site)
    rows = above.stamps.get_indexer(weather.index)
    fine_rows = (rows[:, None] * above.substeps + np.arange(above.substeps)).ravel()
    fine = above.fine.iloc[fine_rows]
    columns = {"temp_air": weather["temp_air_c"], "wind_speed": weather["wind_speed_m_per_s"]}
    spread = {key: np.repeat(values.to_numpy(), above.substeps) for key, values in columns.items()}
    for key in ("ghi", "dni", "dhi"):
        mean = np.maximum(above.clear[key][rows], 1e-6)
        share = fine[key].to_numpy().reshape(len(rows), -1) / mean[:, None]
        spread[key] = (weather[f"{key}_w_per_m2"].to_numpy()[:, None] * share).ravel()
    return pd.DataFrame(spread, index=fine.index)


def _chain(site: Site) -> ModelChain:
    pv = site.pv
    dc_watts, ac_watts = pv.dc_kwp * 1000 / pv.inverters, pv.ac_kw * 1000 / pv.inverters
    array = PVArray(
        FixedMount(pv.tilt_deg, pv.azimuth_deg),
        module_parameters={"pdc0": dc_watts, "gamma_pdc": GAMMA_PDC},
        temperature_model_parameters=RACK,
    )
    system = PVSystem(
        [array],
        inverter_parameters={"pdc0": ac_watts / INVERTER_EFFICIENCY, "eta_inv_nom": INVERTER_EFFICIENCY},
        losses_parameters=_losses(pv),
    )
    return ModelChain.with_pvwatts(system, place(site.location))


def _losses(pv: Photovoltaics) -> dict[str, float]:
    """PVWatts' losses as one figure."""
    others = ("shading", "snow", "mismatch", "wiring", "connections", "lid", "nameplate_rating", "age", "availability")
    return {"soiling": pv.losses_percent, **dict.fromkeys(others, 0.0)}

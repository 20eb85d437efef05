"""Prices, demand charges and carbon intensity over the year."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.site.calendar import in_window
from litgrid.site.site import MAX_CARBON_KG_PER_KWH, Site
from litgrid.site.table import read_columns


def price_per_kwh(site: Site) -> NDArray[np.float64]:
    """Price of an imported kWh in every step, [T], in the site's currency; the first window that holds counts."""
    windows = site.tariff.windows
    hours = [in_window(site, window.from_hour, window.to_hour) for window in windows]
    prices = [np.full(site.steps_per_year, window.price_per_kwh) for window in windows]
    base = np.full(site.steps_per_year, float(site.tariff.price_per_kwh))
    return np.select(hours, prices, base) if windows else base


def demand_mask(site: Site) -> NDArray[np.bool_]:
    """Whether a demand charge counts a step, [D, T], in the order of ``site.tariff.demand``."""
    mask = np.empty((len(site.tariff.demand), site.steps_per_year), dtype=bool)
    for row, charge in zip(mask, site.tariff.demand, strict=True):
        row[:] = in_window(site, charge.from_hour, charge.to_hour) != charge.outside
    return mask


def carbon_kg_per_kwh(site: Site) -> NDArray[np.float64]:
    """Carbon intensity of an imported kWh in every step, [T].

    Raises:
        InputError: the site's carbon file lacks the column, has another length than the year, or holds a value that is
            not a number from 0 to 3 kg/kWh.
    """
    file, steps = site.carbon.file, site.steps_per_year
    if file is None:
        return np.full(steps, float(site.carbon.grid_kg_per_kwh))
    values = read_columns(Path(file.path), [file.column], 0.0, MAX_CARBON_KG_PER_KWH)[:, 0]
    if len(values) != steps:
        raise InputError(f"{file.path}: found {len(values)} rows, expected {steps}, one for each step of a year")
    return values

"""Years of weather at a site: generated under pvlib's clear sky, or resampled from the days of a measured file."""

from __future__ import annotations

import numpy as np
import pandas as pd

from litgrid.site import clouds
from litgrid.site.site import Site


def years(site: Site, split: str, count: int, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Draw years of weather.

    Args:
        site: whose weather it is.
        split: train, validation or test; measured days belong to one of them (``resample.split_days``), generated
            years share no day anyhow.
        count: of years.
        rng: of the draws.

    Returns:
        For each year a DataFrame with a row for each step of seven lead-in days (25 to 31 December) and of the
        year's 365 days, stamped with the step's start in local standard time; means over the step of ghi_w_per_m2,
        dni_w_per_m2, dhi_w_per_m2, temp_air_c, wind_speed_m_per_s.

    Raises:
        InputError: the site's figures or its measured file are wrong.
    """
    return [clouds.year(site, rng) for _ in range(count)]

"""``predict``: what a controller does in every step, as a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from litgrid.evaluation.rollout import Rollout


def write_schedule(rollout: Rollout, path: Path) -> None:
    """Write mean powers in kW and the battery's SOC at the end of each step, a row for each step of each year.

    Args:
        rollout: of S years of T steps.
        path: of the CSV file, with the columns year, month, day, hour (the step's start), price_per_kwh, load_kw,
            pv_kw, ev_kw, bess_kw (positive charges), grid_kw (positive imports), bess_soc, and objective.
    """
    site, flows = rollout.scenarios.site, rollout.flows
    years, steps = flows.load.shape
    start = pd.date_range("2001-01-01", periods=steps, freq=f"{site.step_seconds}s")  # a year of 365 days
    kw = {
        "load_kw": flows.load,
        "pv_kw": flows.pv,
        "ev_kw": flows.ev,
        "bess_kw": flows.bess_charge - flows.bess_discharge,
        "grid_kw": flows.grid_import - flows.grid_export,
    }
    table = pd.DataFrame(
        {
            "year": np.repeat(np.arange(years), steps),
            "month": np.tile(start.month, years),
            "day": np.tile(start.day, years),
            "hour": np.tile(start.hour + start.minute / 60, years),
            "price_per_kwh": rollout.scenarios.series["price_per_kwh"].flatten().numpy(),
            **{name: (energy / site.step_hours).flatten().numpy() for name, energy in kw.items()},
            "bess_soc": rollout.bess_soc[:, 1:].flatten().numpy(),
            "objective": rollout.costs.total.flatten().numpy(),
        }
    )
    part = path.with_name(path.name + ".part")
    table.to_csv(part, index=False, float_format="%.6g", encoding="utf-8")
    part.replace(path)

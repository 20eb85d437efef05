"""``predict``: what a controller does in every step, as a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from litgrid.controllers import Controller
from litgrid.evaluation.district_rollout import DistrictRollout, district_rollout
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim.district_world import DistrictWorld
from litgrid.sim.simulator import Simulator
from litgrid.sim.worlds import Scenarios


def write_schedule(scenarios: Scenarios, controller: Controller, path: Path) -> None:
    """Run a controller in float64, and write mean powers in kW and SOCs at the end of each step.

    Of a site there is a row for each step of each year: year, month, day, hour (the step's start), price_per_kwh,
    load_kw, pv_kw, ev_kw, bess_kw (positive charges), grid_kw (positive imports), bess_soc, and objective. Of a
    district there is one for each building in each step: block, row (of the data), building, the same powers, bess_soc
    (empty without a battery).

    Args:
        scenarios: to run.
        controller: decides every step.
        path: of the CSV file.
    """
    if isinstance(scenarios, DistrictScenarios):
        table = _of_buildings(district_rollout(DistrictWorld(scenarios, dtype=torch.float64), controller))
    else:
        table = _of_years(rollout(Simulator(scenarios, dtype=torch.float64), controller))
    part = path.with_name(path.name + ".part")
    table.to_csv(part, index=False, float_format="%.6g", encoding="utf-8")
    part.replace(path)


def _of_years(rollout: Rollout) -> pd.DataFrame:
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
    return pd.DataFrame(
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


def _of_buildings(rollout: DistrictRollout) -> pd.DataFrame:
    flows, district = rollout.flows, rollout.scenarios.district
    step, block = (index.numpy() for index in rollout.inside.nonzero(as_tuple=True))
    first = np.array([first for first, _ in rollout.scenarios.blocks])
    names, hours = [building.name for building in district.buildings], district.step_seconds / 3600
    kw = {
        "load_kw": flows.load_kwh,
        "pv_kw": flows.pv_kwh,
        "ev_kw": flows.ev_kwh,
        "bess_kw": flows.bess_kwh,
        "grid_kw": flows.net_kwh,
    }
    soc = torch.full_like(flows.net_kwh, torch.nan)
    soc[..., [building.battery is not None for building in district.buildings]] = rollout.bess_soc[1:]
    return pd.DataFrame(
        {
            "block": np.repeat(block, len(names)),
            "row": np.repeat(first[block] + step, len(names)),
            "building": np.tile(names, len(step)),
            **{name: (energy / hours)[rollout.inside].flatten().numpy() for name, energy in kw.items()},
            "bess_soc": soc[rollout.inside].flatten().numpy(),
        }
    )

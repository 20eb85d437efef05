"""A site's whole year as one linear program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from litgrid.controllers.program import Program, Values
from litgrid.controllers.site_program import (
    Meter,
    Peaks,
    Storage,
    battery,
    import_cost,
    marginal,
    meter,
    peaks,
)
from litgrid.controllers.socket_program import Charged, Discharged, charged, discharged, unserved_cost
from litgrid.controllers.stays import pool, stays
from litgrid.sim.simulator import Simulator


@dataclass(frozen=True)
class YearProgram:
    """The program of a year and what its columns mean.

    Attributes:
        program: to be solved.
        constant: what the objective has besides the program's.
        meter: of T steps.
        peaks: one for each month and demand charge.
        battery: of the site.
        charged: stays at sockets that only charge.
        discharged: stays at sockets with V2G.
    """

    program: Program
    constant: float
    meter: Meter
    peaks: Peaks
    battery: Storage
    charged: Charged
    discharged: Discharged


class SiteProgram(NamedTuple):
    """A year without its vehicles; fields as in ``YearProgram``."""

    program: Program
    meter: Meter
    peaks: Peaks
    battery: Storage


def site_program(simulator: Simulator, year: int) -> SiteProgram:
    """Write a year down to which the vehicles are yet to be added; arguments as for ``year_program``."""
    site, program, series = simulator.site, Program(), _series(simulator, year)
    cost = import_cost(site, series["price_per_kwh"], series["carbon_kg_per_kwh"])
    connection = meter(program, cost, (series["load_kw"] - series["pv_kw"]) * site.step_hours)
    storage = battery(program, connection, site, site.battery.initial_soc)
    _end_no_lower(program, storage, site.battery.initial_soc * site.battery.capacity_kwh)
    return SiteProgram(program, connection, _monthly_peaks(program, connection, simulator), storage)


def year_program(simulator: Simulator, year: int, pooled: bool = False) -> YearProgram:
    """Write a year down.

    Args:
        simulator: of the scenarios, float64, on the CPU.
        year: number of the scenario.
        pooled: take V2G vehicles with the same steps for one (``stays.pool``): a smaller program, and a relaxation.
    """
    blocks, unserved = site_program(simulator, year), marginal(simulator.site).unserved
    charging, both_ways = stays(simulator, year)
    both_ways = pool(both_ways) if pooled else both_ways
    return YearProgram(
        **blocks._asdict(),
        constant=unserved_cost(charging, unserved),
        charged=charged(blocks.program, blocks.meter, charging, unserved),
        discharged=discharged(blocks.program, blocks.meter, both_ways, unserved),
    )


def _series(simulator: Simulator, year: int) -> dict[str, Values]:
    step = torch.arange(simulator.steps)
    return {key: values.numpy() for key, values in simulator.tables.series(torch.full_like(step, year), step).items()}


def _end_no_lower(program: Program, storage: Storage, first_kwh: float) -> None:
    """The battery ends with at least what it began with."""
    end = program.rows(1, lower=first_kwh)
    program.entries(end, storage.stored[-1:], 1.0)


def _monthly_peaks(program: Program, at: Meter, simulator: Simulator) -> Peaks:
    """Peaks of every month and demand charge; months are those of the simulator's peaks so far."""
    tables, prices = simulator.tables, simulator.demand_price_per_kw.numpy()
    month = np.cumsum(1.0 - tables.same_month[: simulator.steps].numpy()).astype(np.int64) - 1
    step, charge = np.nonzero(tables.counted[: simulator.steps].numpy())
    cost = np.tile(prices, int(month[-1]) + 1)
    return peaks(program, at, cost, (step, month[step] * len(prices) + charge), simulator.site)

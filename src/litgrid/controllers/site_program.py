"""The site as blocks of a linear program: meter, battery and monthly peaks, priced as the simulator prices them.

Energies are kWh in a step, at the site's side. The same blocks serve the year (``optimum``) and a horizon (``mpc``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from litgrid.controllers.program import INFINITY, Indices, Program, Values
from litgrid.sim.objective import weighted, weights
from litgrid.site.site import Battery, Objective, Site

TIE_BREAK = 1e-6
"""Cost of a kWh moved into or out of a storage. Exports are unpaid, so that without it a storage that wastes energy by
charging and discharging at once is as good as one that does not, wherever PV is left over."""


class Marginal(NamedTuple):
    """What one more unit adds to the objective."""

    bill: float
    """Per unit of currency billed."""
    co2: float
    """Per kg."""
    unserved: float
    """Per kWh in a vehicle's battery, its gasoline included."""
    discharge: float
    """Per kWh that the battery gives (wear)."""


def marginal(site: Site) -> Marginal:
    """The slopes of a site's objective."""
    return slopes(site.objective, site.carbon.gasoline_kg_per_kwh)


def slopes(objective: Objective, gasoline_kg_per_kwh: float) -> Marginal:
    """The objective's slopes: it is linear, so that its value for one unit is the slope."""
    bills, masses, unserved_kwh, discharge_kwh = torch.eye(4, dtype=torch.float64).unbind()
    _, _, total = weighted(bills, masses, unserved_kwh, discharge_kwh, weights(objective))
    bill, co2, unserved, discharge = total.tolist()
    return Marginal(bill, co2, unserved + co2 * gasoline_kg_per_kwh, discharge)


class Meter(NamedTuple):
    """Imports of H steps; exports are what is left over, and cost nothing."""

    imported: Indices
    """Columns [H]."""
    balance: Indices
    """Rows [H]: import + discharge - charge - vehicles >= load - pv; the lower bound is load - pv."""


def import_cost(site: Site, price_per_kwh: Values, carbon_kg_per_kwh: Values) -> Values:
    """What an imported kWh adds to the objective, demand charges aside."""
    slope = marginal(site)
    return slope.bill * price_per_kwh + slope.co2 * carbon_kg_per_kwh


def meter(program: Program, cost_per_kwh: ArrayLike, net_kwh: Values, most_kwh: ArrayLike = INFINITY) -> Meter:
    """Add the connection to the grid.

    Args:
        program: to add it to.
        cost_per_kwh: [H] of imports (``import_cost``).
        net_kwh: [H] load - pv.
        most_kwh: a number or [H], highest imports.
    """
    steps = len(net_kwh)
    block = Meter(program.columns(steps, cost_per_kwh, upper=most_kwh), program.rows(steps, net_kwh))
    program.entries(block.balance, block.imported, 1.0)
    return block


def take(program: Program, at: Meter, step: NDArray[np.int64], columns: Indices, sign: ArrayLike) -> None:
    """Let variables take energy from the site (sign 1) or give it (-1), each [K] in its step.

    Where they are energies behind a converter, the sign is kWh at the site for each of them, a number or [K].
    """
    program.entries(at.balance[step], columns, -np.asarray(sign))


class Storage(NamedTuple):
    """A battery, or a vehicle that can be discharged, over H steps."""

    charge: Indices
    """Columns [H], kWh taken."""
    discharge: Indices
    """Columns [H], kWh given."""
    stored: Indices
    """Columns [H], kWh held at the end of the step."""
    balance: Indices
    """Rows [H]: stored - stored before - charge x efficiency + discharge / efficiency = 0; in the first of a chain of
    steps, what is held at its start."""


def moved_kwh(storages: Iterable[Storage], values: Values) -> float:
    """All that storages charge and discharge: what the tie break is a cost of."""
    return sum(float((values[storage.charge] + values[storage.discharge]).sum()) for storage in storages)


def battery(program: Program, at: Meter, site: Site, first_soc: float) -> Storage:
    """Add the site's battery.

    Args:
        program: to add it to.
        at: the site's meter.
        site: its battery and objective.
        first_soc: SOC before the first step.
    """
    part, steps = site.battery, len(at.imported)
    full = part.power_kw * site.step_hours if part.capacity_kwh > 0 else 0.0
    block = Storage(
        charge=program.columns(steps, TIE_BREAK, upper=full),
        discharge=program.columns(steps, TIE_BREAK + marginal(site).discharge, upper=full),
        stored=program.columns(steps, lower=part.min_soc * part.capacity_kwh, upper=part.capacity_kwh),
        balance=program.rows(steps, *first_stored(part, first_soc, steps)),
    )
    chain(program, block, np.arange(steps) > 0, part.efficiency_one_way)
    take(program, at, np.arange(steps), block.charge, 1.0)
    take(program, at, np.arange(steps), block.discharge, -1.0)
    return block


def first_stored(part: Battery, soc: float, steps: int) -> tuple[Values, Values]:
    """Bounds [H] of a battery's ``Storage.balance``: what it holds before the first step, then 0."""
    held = np.zeros(steps)
    held[0] = max(soc, part.min_soc) * part.capacity_kwh
    return held, held


def chain(
    program: Program, block: Storage, follows: NDArray[np.bool_], efficiency: ArrayLike, kept: ArrayLike = 1.0
) -> None:
    """Add the entries of ``Storage.balance``.

    Args:
        program: that the block is in.
        block: of K steps, which may be those of several storages, one after the other.
        follows: [K] whether a step goes on from the one before it; else it begins a chain.
        efficiency: one way, a number or [K].
        kept: share of what was stored before that is left when the step begins, a number or [K].
    """
    left = np.broadcast_to(np.asarray(kept, dtype=np.float64), len(follows))
    eta = np.broadcast_to(np.asarray(efficiency, dtype=np.float64), len(follows))
    program.entries(block.balance, block.stored, 1.0)
    program.entries(block.balance[follows], block.stored[np.flatnonzero(follows) - 1], -left[follows])
    program.entries(block.balance, block.charge, -eta)
    program.entries(block.balance, block.discharge, 1.0 / eta)


class Peaks(NamedTuple):
    """Highest imports that demand charges count."""

    peak: Indices
    """Columns [P], kW; the lower bound is the peak so far."""
    above: Indices
    """Rows [K]: import of a step / hours - peak <= 0; an infinite upper bound takes the step out of the count."""


def peaks(
    program: Program,
    at: Meter,
    price_per_kw: Values,
    counted: tuple[NDArray[np.int64], NDArray[np.int64]],
    site: Site,
    *,
    so_far_kw: ArrayLike = 0.0,
) -> Peaks:
    """Add demand charges.

    Args:
        program: to add them to.
        at: the site's meter.
        price_per_kw: [P] as billed, one for each charge and month.
        counted: [K] steps and [K] peaks that count them.
        site: its step and objective.
        so_far_kw: a number or [P], already reached, and billed.
    """
    step, peak = counted
    cost = marginal(site).bill * price_per_kw
    block = Peaks(program.columns(len(cost), cost, so_far_kw, INFINITY), program.rows(len(step), upper=0.0))
    program.entries(block.above, at.imported[step], 1.0 / site.step_hours)
    program.entries(block.above, block.peak[peak], -1.0)
    return block

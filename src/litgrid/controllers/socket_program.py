"""The sockets as blocks of a linear program: vehicles that are charged, in groups, and V2G vehicles one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from litgrid.controllers.program import Indices, Program
from litgrid.controllers.site_program import TIE_BREAK, Meter, Storage, chain, take
from litgrid.controllers.stays import Cells, Groups, Stays, cells, group


class Charged(NamedTuple):
    """Stays at sockets that only charge."""

    stays: Stays
    groups: Groups
    cells: Cells
    """Steps of the groups."""
    taken: Indices
    """Columns [K], kWh that the group takes in the cell's step, at the sockets."""


def charged(program: Program, at: Meter, found: Stays, unserved_per_kwh: float) -> Charged:
    """Add stays: a group takes at most what it needs; what it does not take is unserved.

    The cost of what is unserved is a constant (``unserved_cost``) less that of what is served.
    """
    found = found.only(found.need_kwh > 0.0)
    groups = group(found)
    steps = cells(groups.arrival, groups.departure)
    saved = -unserved_per_kwh * groups.efficiency
    taken = program.columns(len(steps.span), saved[steps.span], upper=groups.most_kwh[steps.span])
    need = program.rows(len(groups.need_kwh), upper=groups.need_kwh)
    program.entries(need[steps.span], taken, 1.0)
    take(program, at, steps.step, taken, 1.0)
    return Charged(found, groups, steps, taken)


def unserved_cost(found: Stays, unserved_per_kwh: float) -> float:
    """Cost of charging none of the stays of ``charged``."""
    return float(found.need_kwh @ found.efficiency) * unserved_per_kwh


class Discharged(NamedTuple):
    """Stays at sockets with V2G."""

    stays: Stays
    cells: Cells
    """Steps of the stays."""
    storage: Storage
    unserved: Indices
    """Columns [M], kWh in the vehicle's battery."""


def discharged(program: Program, at: Meter, found: Stays, unserved_per_kwh: float) -> Discharged:
    """Add stays, each with its state of charge; what is missing of it at departure is unserved."""
    steps = cells(found.arrival, found.departure)
    follows = steps.step > found.arrival[steps.span]
    full, count = found.full_kwh[steps.span], len(steps.span)
    held = np.where(follows, 0.0, found.start_kwh[steps.span])
    block = Storage(
        charge=program.columns(count, TIE_BREAK, upper=full),
        discharge=program.columns(count, TIE_BREAK, upper=full),
        stored=program.columns(count, upper=found.capacity_kwh[steps.span]),
        balance=program.rows(count, held, held),
    )
    chain(program, block, follows, found.efficiency[steps.span])
    take(program, at, steps.step, block.charge, 1.0)
    take(program, at, steps.step, block.discharge, -1.0)
    unserved = program.columns(len(found.socket), unserved_per_kwh)
    served = program.rows(len(unserved), found.due_kwh)
    program.entries(served, unserved, 1.0)
    program.entries(served, block.stored[np.cumsum(found.departure - found.arrival) - 1], 1.0)
    return Discharged(found, steps, block, unserved)

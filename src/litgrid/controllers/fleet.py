"""All vehicles of a site as one: a relaxation of a year whose program does not grow with the number of stays.

What the vehicles do together is told by sums over them, whatever each one does: how much they may have taken by the end
of a step (``envelope`` has the same for a horizon), or hold. A schedule of the sums need not be one of the vehicles.
"""

from __future__ import annotations

import numpy as np

from litgrid.controllers.program import Program, Solver, Values
from litgrid.controllers.site_program import TIE_BREAK, Meter, Storage, chain, marginal, moved_kwh, take
from litgrid.controllers.stays import Integers, Stays, cells, stays
from litgrid.controllers.year_program import site_program
from litgrid.sim.simulator import Simulator


def fleet_objective(simulator: Simulator, year: int) -> float:
    """What a year costs at least: no controller is better, and maybe none as good.

    Args:
        simulator: of the scenarios, float64, on the CPU.
        year: number of the scenario.

    Raises:
        ArithmeticError: HiGHS found no optimum.
    """
    blocks, unserved = site_program(simulator, year), marginal(simulator.site).unserved
    charging, both_ways = stays(simulator, year)
    _charged(blocks.program, blocks.meter, charging, unserved)
    storages = [blocks.battery]
    if len(both_ways.socket):
        storages.append(_discharged(blocks.program, blocks.meter, both_ways, unserved))
    values = Solver(blocks.program).solve()
    return float(blocks.program.costs() @ values) - TIE_BREAK * moved_kwh(storages, values)


def _by_step(step: Integers, values: Values, steps: int) -> Values:
    """Sums [T] of values [K], each in its step."""
    return np.bincount(step, values, steps).astype(np.float64)


def _charged(program: Program, at: Meter, found: Stays, unserved_per_kwh: float) -> None:
    """Add vehicles that only charge.

    ``waiting`` is what they could have taken by the end of a step and have not. It may be no more than what full power
    still gives them (least laxity); what else they lack is unserved, and waits no longer.
    """
    found = found.only(found.need_kwh > 0.0)
    if not len(found.socket):
        return
    steps, there = len(at.imported), cells(found.arrival, found.departure)
    need, full = found.need_kwh[there.span], found.full_kwh[there.span]
    elapsed = (there.step - found.arrival[there.span]).astype(np.float64)
    left = (found.departure[there.span] - there.step).astype(np.float64)

    def most(after: Values) -> Values:
        """Taken, if all charge at once."""
        return np.minimum(need, after * full)

    def least(before: Values) -> Values:
        """Taken, if all wait as long as they can."""
        return np.maximum(need - before * full, 0.0)

    new = _by_step(there.step, most(elapsed + 1.0) - most(elapsed), steps)
    due = _by_step(there.step, least(left - 1.0) - least(left), steps)
    taken = program.columns(steps, upper=_by_step(there.step, np.minimum(full, need), steps))
    unserved = program.columns(steps, unserved_per_kwh * found.efficiency.min())
    waiting = program.columns(steps, upper=np.maximum(np.cumsum(new) - np.cumsum(due), 0.0))
    balance = program.rows(steps, new, new)
    for columns in (waiting, taken, unserved):
        program.entries(balance, columns, 1.0)
    program.entries(balance[1:], waiting[:-1], -1.0)
    take(program, at, np.arange(steps), taken, 1.0)


def _discharged(program: Program, at: Meter, found: Stays, unserved_per_kwh: float) -> Storage:
    """Add V2G vehicles: one battery that grows by those that come and shrinks by those that leave."""
    steps, there = len(at.imported), cells(found.arrival, found.departure)
    full, room = (_by_step(there.step, values[there.span], steps) for values in (found.full_kwh, found.capacity_kwh))
    brought = _by_step(found.arrival, found.start_kwh, steps)
    leaving, due = (_by_step(found.departure - 1, values, steps) for values in (found.capacity_kwh, found.due_kwh))
    block = Storage(
        charge=program.columns(steps, TIE_BREAK, upper=full),
        discharge=program.columns(steps, TIE_BREAK, upper=full),
        stored=program.columns(steps, upper=np.maximum(room - leaving, 0.0)),
        balance=program.rows(steps, brought, brought),
    )
    chain(program, block, np.arange(steps) > 0, found.efficiency.max())
    taken_along, unserved = program.columns(steps, upper=leaving), program.columns(steps, unserved_per_kwh)
    program.entries(block.balance, taken_along, 1.0)
    held = program.rows(steps, upper=room)
    for columns in (block.stored, taken_along):
        program.entries(held, columns, 1.0)
    served = program.rows(steps, due)
    for columns in (taken_along, unserved):
        program.entries(served, columns, 1.0)
    take(program, at, np.arange(steps), block.charge, 1.0)
    take(program, at, np.arange(steps), block.discharge, -1.0)
    return block

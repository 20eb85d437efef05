"""The solution of a year: its cost, its schedule, and what the solver has to say about it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from litgrid.controllers.program import Solver, Values
from litgrid.controllers.sharing import share_out
from litgrid.controllers.site_program import TIE_BREAK, Storage, moved_kwh
from litgrid.controllers.year_program import YearProgram, year_program
from litgrid.sim.simulator import Simulator


@dataclass(frozen=True)
class Solution:
    """The best that a year allows, with perfect foresight.

    Attributes:
        objective: of the site, in its currency, without the tie-break.
        tie_break: cost of the tie-break in the program; the objective is at most this far above that of the program
            without it.
        simultaneous_kwh: a year in which a storage charges and discharges at once, the smaller of both.
        seconds: to write the program down, solve it and share the schedule out.
        variables: of the program.
        constraints: of the program.
        battery_kwh: [T] float64, taken by the battery at the site's side, negative when giving.
        sockets_kwh: [T, N] float64, taken by each socket, negative when giving.
    """

    objective: float
    tie_break: float
    simultaneous_kwh: float
    seconds: float
    variables: int
    constraints: int
    battery_kwh: Tensor
    sockets_kwh: Tensor


def solve_year(simulator: Simulator, year: int) -> Solution:
    """Find the best schedule of a year.

    Args:
        simulator: of the scenarios, float64, on the CPU.
        year: number of the scenario.

    Raises:
        ArithmeticError: HiGHS found no optimum.
    """
    start = time.perf_counter()
    written = year_program(simulator, year)
    values = Solver(written.program).solve()
    battery, sockets = _battery(written, values), _sockets(written, values, simulator)
    constraints, variables = written.program.shape
    return Solution(
        objective=_objective(written, values),
        tie_break=_tie_break(written, values),
        simultaneous_kwh=_at_once(written, values),
        seconds=time.perf_counter() - start,
        variables=variables,
        constraints=constraints,
        battery_kwh=torch.from_numpy(battery),
        sockets_kwh=torch.from_numpy(sockets),
    )


def relaxed_objective(simulator: Simulator, year: int) -> float:
    """What a year costs at least, with V2G vehicles taken together: no controller is better, and maybe none as good.

    Args:
        simulator: of the scenarios, float64, on the CPU.
        year: number of the scenario.
    """
    written = year_program(simulator, year, pooled=True)
    return _objective(written, Solver(written.program).solve())


def _objective(written: YearProgram, values: Values) -> float:
    return float(written.program.costs() @ values) + written.constant - _tie_break(written, values)


def _storages(written: YearProgram) -> tuple[Storage, Storage]:
    return written.battery, written.discharged.storage


def _tie_break(written: YearProgram, values: Values) -> float:
    return TIE_BREAK * moved_kwh(_storages(written), values)


def _at_once(written: YearProgram, values: Values) -> float:
    """What storages charge while they discharge, kWh."""
    pairs = [(values[storage.charge], values[storage.discharge]) for storage in _storages(written)]
    return sum(float(np.minimum(charge, discharge).sum()) for charge, discharge in pairs)


def _battery(written: YearProgram, values: Values) -> Values:
    net: Values = values[written.battery.charge] - values[written.battery.discharge]
    return net


def _sockets(written: YearProgram, values: Values, simulator: Simulator) -> Values:
    """What each socket takes [T, N]."""
    kwh = np.zeros((simulator.steps, simulator.sockets))
    charged, both_ways = written.charged, written.discharged
    steps, shared = share_out(charged.stays, charged.groups, values[charged.taken])
    kwh[steps.step, charged.stays.socket[steps.span]] = shared
    net = values[both_ways.storage.charge] - values[both_ways.storage.discharge]
    kwh[both_ways.cells.step, both_ways.stays.socket[both_ways.cells.span]] = net
    return kwh

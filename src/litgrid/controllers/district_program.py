"""A district's days as a linear program that costs no more than any controller: a relaxation of its physics.

Exact are what the simulator has in lines: every building's balance, what its import costs, batteries and vehicles with
constant efficiencies, where vehicles are and what they hold when they come. The rest is at its best
(``district_storages``, ``district_needs``), or left out: limits of buildings, minimum powers (``relaxed``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from litgrid.controllers.district_needs import Needs, needs
from litgrid.controllers.district_storages import Legs, batteries, most_kwh, vehicles
from litgrid.controllers.program import INFINITY, Program, Solver
from litgrid.controllers.site_program import Marginal, Meter, Storage, chain, meter, slopes, take
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.district_objective import GASOLINE_KG_PER_KWH
from litgrid.sim.district_stays import stays


@dataclass(frozen=True)
class BlockProgram:
    """The program of a block of rows, and what its columns mean.

    Attributes:
        program: to be solved.
        batteries: steps of the buildings' batteries.
        battery: their columns.
        vehicles: steps of vehicles at chargers.
        vehicle: their columns.
    """

    program: Program
    batteries: Legs
    battery: Storage
    vehicles: Legs
    vehicle: Storage


@dataclass(frozen=True)
class BlockBound:
    """What a block of rows costs at least.

    Attributes:
        objective: in the currency of the data.
        seconds: to write the program down and solve it.
        variables: of the program.
        constraints: of the program.
    """

    objective: float
    seconds: float
    variables: int
    constraints: int


def solve(scenarios: DistrictScenarios) -> list[BlockBound]:
    """Bound every block of a district's rows, each from its initial SOCs.

    Raises:
        ArithmeticError: HiGHS found no optimum.
    """
    simulator = DistrictSimulator(scenarios.district, dtype=torch.float64)
    return [_solve(simulator, scenarios, block) for block in scenarios.blocks]


def _solve(simulator: DistrictSimulator, scenarios: DistrictScenarios, block: tuple[int, int]) -> BlockBound:
    start = time.perf_counter()
    program = block_program(simulator, scenarios, block).program
    solver = Solver(program)
    solver.solve()
    constraints, variables = program.shape
    return BlockBound(solver.objective, time.perf_counter() - start, variables, constraints)


def block_program(simulator: DistrictSimulator, scenarios: DistrictScenarios, block: tuple[int, int]) -> BlockProgram:
    """Write the rows [first, end) of a block down.

    Args:
        simulator: of the district, float64, on the CPU.
        scenarios: its objective.
        block: first and end.
    """
    price, program = slopes(scenarios.objective, GASOLINE_KG_PER_KWH), Program()
    stationary, mobile = batteries(simulator, *block), vehicles(simulator, *block)
    connection = _meters(program, simulator, price, block)
    places = [
        (legs.row - block[0]) * len(simulator.district.buildings) + legs.building for legs in (stationary, mobile)
    ]
    battery = _storages(program, connection, stationary, places[0], price.discharge)
    vehicle = _storages(program, connection, mobile, places[1], 0.0)
    due = needs(simulator, stays(simulator), *block)
    _unserved(program, vehicle, mobile, due, price.unserved)
    return BlockProgram(program, stationary, battery, mobile, vehicle)


def _meters(program: Program, simulator: DistrictSimulator, price: Marginal, block: tuple[int, int]) -> Meter:
    """Connections of the buildings, row after row. What is imported in an outage is free: the grid gives none.

    CO2 is never negative, whatever an intensity is. Where imports pay, they are at most those of everything at full
    power, so that there is a bound.
    """
    series = simulator.given(torch.arange(*block))
    net = series.load_kwh - series.pv_kwh
    cost = price.bill * series.price_per_kwh + price.co2 * series.carbon_kg_per_kwh.clamp(min=0.0)
    full = torch.cat([most_kwh(simulator, simulator.batteries), simulator.chargers.charge.most_kw * simulator.hours])
    most = net.clamp(min=0.0).index_add(1, simulator.limits.building, full.expand(len(net), -1))
    limit = torch.where(cost < 0.0, most, INFINITY)
    cost = cost * (1.0 - series.outage)
    return meter(program, cost.flatten().numpy(), net.flatten().numpy(), limit.flatten().numpy())


def _storages(program: Program, at: Meter, legs: Legs, place: NDArray[np.int64], wear: float) -> Storage:
    """Add storages, which may hold less than they could: what the simulator loses beyond the best case."""
    count = len(legs.row)
    block = Storage(
        charge=program.columns(count, upper=legs.charge),
        discharge=program.columns(count, wear, upper=legs.discharge),
        stored=program.columns(count, upper=legs.room),
        balance=program.rows(count, upper=legs.held),
    )
    chain(program, block, legs.follows, legs.efficiency, legs.kept)
    take(program, at, place, block.charge, legs.bought)
    take(program, at, place, block.discharge, -legs.sold)
    return block


def _unserved(program: Program, block: Storage, legs: Legs, due: Needs, price: float) -> None:
    """Add what vehicles lack when they leave."""
    rows = int(legs.row.max(initial=0)) + 1
    leg = np.searchsorted(legs.storage * rows + legs.row, due.vehicle * rows + due.row)
    missing = program.columns(len(leg), price)
    served = program.rows(len(leg), due.above_kwh)
    program.entries(served, missing, 1.0)
    program.entries(served, block.stored[leg], 1.0)

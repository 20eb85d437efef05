"""The linear program of a horizon, built once and moved on from step to step.

Its H + 1 slots stand for the steps in a ring: step t has slot t mod (H + 1), so that what a plan said about a step is
where the next plan looks for it, and the basis of the last solution nearly fits the next one. The slot that is left
over is the past: it holds what batteries and vehicles have at the start.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from litgrid.controllers.envelope import Envelope
from litgrid.controllers.program import INFINITY, Indices, Program, Solver, Values
from litgrid.controllers.site_program import TIE_BREAK, Meter, battery, meter, peaks, take
from litgrid.site.site import Site


class Horizon(NamedTuple):
    """What a plan rests on: one site, the next H steps."""

    step: int
    """Of the year."""
    net_kwh: Values
    """[H] load - PV."""
    import_cost: Values
    """[H] of a kWh, demand charges aside."""
    hold_per_kwh: float
    """Worth of a kWh more in battery or vehicles at the end of each step."""
    terminal_per_kwh: float
    """Worth of a kWh in the battery at the end of the horizon."""
    stored_kwh: float
    """In the battery now."""
    vehicles: Envelope
    """[H] what they may take."""
    free_kw: Values
    """[2, D] import up to which each demand charge costs nothing more: this month, and the next one."""
    counted: NDArray[np.bool_]
    """[2, D, H] the steps that each demand charge counts, this month and the next one."""


class Plan(NamedTuple):
    """What a plan does in its first step, kWh at the site's side, and what it costs."""

    battery_kwh: float
    """Charging positive."""
    vehicles_kwh: float
    cost: float
    """The program's objective: of the whole horizon, worths deducted."""


class Fleet(NamedTuple):
    """The vehicles as one storage that starts empty and must keep within an envelope."""

    taken: Indices
    """Columns [n], kWh in a step."""
    total: Indices
    """Columns [n], kWh until the end of the step."""
    balance: Indices
    """Rows [n]: total - total before - taken = 0."""


class HorizonProgram:
    """Plans of one site, each warm-started from the one before.

    Args:
        site: that is planned for.
        steps: of the horizon, H.
    """

    def __init__(self, site: Site, steps: int) -> None:
        self._slots = slots = steps + 1
        program = Program()
        self._meter = meter(program, 0.0, np.zeros(slots))
        self._battery = battery(program, self._meter, site, site.battery.min_soc)
        program.entries(self._battery.balance[:1], self._battery.stored[-1:], -1.0)  # closes the ring
        self._fleet = _fleet(program, self._meter)
        prices = [charge.price_per_kw for charge in site.tariff.demand] * 2
        counted = np.tile(np.arange(slots), len(prices)), np.repeat(np.arange(len(prices)), slots)
        self._peaks = peaks(program, self._meter, np.array(prices), counted, site)
        part = site.battery
        self._least_kwh, self._most_kwh = part.min_soc * part.capacity_kwh, part.capacity_kwh
        self._solver = Solver(program, solver="simplex", presolve="off", threads=1)

    def solve(self, horizon: Horizon) -> Plan:
        """Plan from the present step on.

        Raises:
            ArithmeticError: HiGHS found no optimum.
        """
        slot = (horizon.step + np.arange(self._slots)) % self._slots  # the last one is the past
        self._set_costs(horizon, slot)
        self._set_bounds(horizon, slot)
        self._set_rows(horizon, slot)
        values = self._solver.solve()
        first, store = slot[0], self._battery
        moved = values[store.charge[first]] - values[store.discharge[first]]
        return Plan(float(moved), float(values[self._fleet.taken[first]]), self._solver.objective)

    def _set_costs(self, horizon: Horizon, slot: NDArray[np.int64]) -> None:
        stored = np.full(self._slots, -horizon.hold_per_kwh)
        total = stored.copy()
        stored[-2] -= horizon.terminal_per_kwh
        total[-2] -= float(horizon.import_cost.mean())  # what waits until after the horizon has to be bought then
        stored[-1] = total[-1] = 0.0
        for columns, cost in (
            (self._meter.imported, np.append(horizon.import_cost, 0.0)),
            (self._battery.stored, stored),
            (self._fleet.total, total),
        ):
            self._solver.change_costs(columns[slot], cost)

    def _set_bounds(self, horizon: Horizon, slot: NDArray[np.int64]) -> None:
        held = float(np.clip(horizon.stored_kwh, self._least_kwh, self._most_kwh))
        least, most = np.full(self._slots, self._least_kwh), np.full(self._slots, self._most_kwh)
        least[-1] = most[-1] = held
        vehicles, free = horizon.vehicles, horizon.free_kw.ravel()
        for columns, lower, upper in (
            (self._battery.stored[slot], least, most),
            (self._fleet.total[slot], np.append(vehicles.least, 0.0), np.append(vehicles.most, 0.0)),
            (self._fleet.taken[slot], np.zeros(self._slots), np.append(vehicles.limit, 0.0)),
            (self._peaks.peak, free, np.full(len(free), INFINITY)),
        ):
            self._solver.change_bounds(columns, lower, upper)

    def _set_rows(self, horizon: Horizon, slot: NDArray[np.int64]) -> None:
        chained = np.append(np.zeros(self._slots - 1), INFINITY)
        for rows in (self._battery.balance, self._fleet.balance):
            self._solver.change_rows(rows[slot], -chained, chained)
        net = np.append(horizon.net_kwh, -INFINITY)
        self._solver.change_rows(self._meter.balance[slot], net, np.full(self._slots, INFINITY))
        above = self._peaks.above.reshape(-1, self._slots)
        limit = np.full(above.shape, INFINITY)
        limit[:, :-1][horizon.counted.reshape(-1, self._slots - 1)] = 0.0
        self._solver.change_rows(above[:, slot].ravel(), np.full(limit.size, -INFINITY), limit.ravel())


def _fleet(program: Program, at: Meter) -> Fleet:
    slots = len(at.imported)
    block = Fleet(
        taken=program.columns(slots, TIE_BREAK), total=program.columns(slots), balance=program.rows(slots, 0.0, 0.0)
    )
    program.entries(block.balance, block.total, 1.0)
    program.entries(block.balance, np.roll(block.total, 1), -1.0)
    program.entries(block.balance, block.taken, -1.0)
    take(program, at, np.arange(slots), block.taken, 1.0)
    return block

"""The linear program's builder and HiGHS behind it, on programs that can be solved by hand."""

import numpy as np
import pytest

from litgrid.controllers.program import Program, Solver
from litgrid.controllers.site_program import battery, first_stored, import_cost, marginal, meter, peaks
from litgrid.site.site import Battery, Objective, Site, replace


def diet() -> tuple[Program, Solver]:
    """Minimise 2 x + 3 y subject to x + y >= 4, x <= 3."""
    program = Program()
    x = program.columns(1, 2.0, upper=3.0)
    y = program.columns(1, 3.0)
    enough = program.rows(1, lower=4.0)
    program.entries(enough, x, 1.0)
    program.entries(enough, y, 1.0)
    return program, Solver(program)


def test_a_program_by_hand_and_its_changes() -> None:
    program, solver = diet()
    assert program.shape == (1, 2)
    assert solver.solve().tolist() == [3.0, 1.0]
    assert program.costs() @ solver.solve() == 9.0
    solver.change_costs(np.array([0], dtype=np.int32), np.array([4.0]))
    assert solver.solve().tolist() == [0.0, 4.0]
    solver.change_rows(np.array([0], dtype=np.int32), np.array([6.0]), np.array([np.inf]))
    assert solver.solve().tolist() == [0.0, 6.0]
    solver.change_bounds(np.array([1], dtype=np.int32), np.array([0.0]), np.array([5.0]))
    assert solver.solve().tolist() == [1.0, 5.0]


def test_what_can_not_be_solved_is_an_error() -> None:
    _, solver = diet()
    solver.change_bounds(np.array([1], dtype=np.int32), np.array([0.0]), np.array([0.5]))
    with pytest.raises(ArithmeticError, match="HiGHS: found Infeasible"):
        solver.solve()


def test_a_wrong_option_is_an_error() -> None:
    with pytest.raises(ValueError, match="option speed=11"):
        Solver(Program(), speed=11)


def test_slopes_are_those_of_the_objective(small_site: Site) -> None:
    site = replace(small_site, objective=Objective(bill=0.5, carbon_per_kg=0.2, unserved_per_kwh=3.0, wear_per_kwh=0.1))
    slope = marginal(site)
    assert slope[:2] == (0.5, 0.2)
    assert slope.unserved == pytest.approx(3.0 + 0.2 * site.carbon.gasoline_kg_per_kwh)
    assert slope.discharge == 0.1
    assert import_cost(site, np.array([0.4]), np.array([0.5]))[0] == pytest.approx(0.3)


def test_a_horizon_with_a_peak_so_far(small_site: Site) -> None:
    """Three hours of load 2, 8, 2 kWh, a battery that holds 4 of 10 kWh, lossless: 1 kWh each of price and peak."""
    site = replace(small_site, battery=Battery(10.0, 3.0, depth_of_discharge=1.0, efficiency_one_way=1.0))
    site = replace(site, objective=Objective(carbon_per_kg=0.0))
    program, load = Program(), np.array([2.0, 8.0, 2.0])
    at = meter(program, np.ones(3), load)
    store = battery(program, at, site, first_soc=0.4)
    peak = peaks(program, at, np.array([10.0]), (np.arange(3), np.zeros(3, dtype=np.int64)), site, so_far_kw=4.0)
    solver = Solver(program)
    values = solver.solve()
    assert values[at.imported].sum() == pytest.approx(8.0)  # 12 less what the battery held
    assert values[peak.peak[0]] == pytest.approx(5.0)  # 3 kW is all that the battery can give
    solver.change_rows(store.balance, *first_stored(site.battery, 0.1, 3))
    values = solver.solve()
    assert values[at.imported].sum() == pytest.approx(11.0)
    solver.change_rows(at.balance, load / 4.0, np.full(3, np.inf))
    solver.change_bounds(peak.peak, np.array([6.0]), np.array([np.inf]))
    values = solver.solve()
    assert values[peak.peak[0]] == 6.0  # reached already
    assert values[at.imported].sum() == pytest.approx(2.0)

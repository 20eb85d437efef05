"""Where windows start: within the years, at plausible states, and reproducibly."""

from collections.abc import Callable

import pytest
import torch

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.sim.windows import Windows, month_to_date_kw
from litgrid.site.calendar import month_of_step
from litgrid.site.site import Site, replace
from litgrid.site.tariff import demand_mask

RandomScenarios = Callable[..., ScenarioSet]


@pytest.fixture(scope="module")
def simulator(small_site: Site, random_scenarios: RandomScenarios) -> Simulator:
    return Simulator(random_scenarios(small_site, days=70))


def test_month_to_date_by_hand(simulator: Simulator) -> None:
    table = month_to_date_kw(simulator).view(2, -1, 2)
    series, month = simulator.scenarios.series[1], month_of_step(simulator.site)
    mask = torch.as_tensor(demand_mask(simulator.site))
    for step in (0, 1, 500, 743, 744, 745, 1000):
        month_so_far = torch.as_tensor(month[:step] == month[step])
        for charge in range(2):
            net_kw = (series["load_kw"] - series["pv_kw"])[:step][month_so_far & mask[charge, :step]]
            assert float(table[1, step, charge]) == max([0.0, *net_kw.tolist()])


def test_windows_are_spread_over_the_years_and_end_within_them(simulator: Simulator) -> None:
    windows = Windows(simulator, envs=4000, hours=48, seed=0)
    state, end = windows.draw(first=True)
    assert int(state.step.min()) == 0
    assert int(end.max()) == simulator.steps
    assert bool((end - state.step == 48).all())
    assert set(state.scenario.tolist()) == {0, 1}
    assert len(set(state.step.tolist())) > 1000
    assert 0.2 <= float(state.bess_soc.min()) < 0.25
    assert 0.95 < float(state.bess_soc.max()) <= 1.0
    natural = month_to_date_kw(simulator)[simulator.tables.rows(state.scenario, state.step)]
    assert bool(((state.peak_kw >= 0.5 * natural) & (state.peak_kw <= natural)).all())
    assert bool((state.peak_kw[state.step == 744] == 0).all())


def test_the_seed_fixes_the_windows(simulator: Simulator) -> None:
    draws = [Windows(simulator, envs=8, hours=24, seed=seed).draw(first=True) for seed in (3, 3, 4)]
    assert all(torch.equal(a, b) for a, b in zip(draws[0][0], draws[1][0], strict=True))
    assert not torch.equal(draws[0][0].step, draws[2][0].step)


@pytest.mark.parametrize("hours", [0, None])
def test_whole_years_go_through_the_scenarios(simulator: Simulator, hours: int | None) -> None:
    state, end = Windows(simulator, envs=5, hours=hours, seed=0).draw(first=True)
    assert state.scenario.tolist() == [0, 1, 0, 1, 0]
    assert state.step.tolist() == [0] * 5
    assert end.tolist() == [simulator.steps] * 5
    assert state.bess_soc.tolist() == [0.5] * 5
    assert float(state.peak_kw.max()) == 0.0


def test_a_window_is_in_hours_not_steps(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(replace(small_site, step_seconds=900), days=9))
    assert Windows(simulator, envs=2, hours=6, seed=0).steps == 24


@pytest.mark.parametrize("hours", [-1, 0.5, 70 * 24 + 1])
def test_windows_that_do_not_fit_are_refused(simulator: Simulator, hours: float) -> None:
    with pytest.raises(InputError, match=r"window_hours: found .*, expected month, or whole steps, at most 1680 h"):
        Windows(simulator, envs=2, hours=hours, seed=0)

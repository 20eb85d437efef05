"""Rollouts: whole years, side by side, every step on record."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.sim.worlds import AnyView
from litgrid.site.site import Site

Draw = Callable[..., ScenarioSet]


def test_shapes_and_the_simulators_own_steps(small_site: Site, random_scenarios: Draw) -> None:
    simulator = Simulator(random_scenarios(small_site, scenarios=3, days=40), dtype=torch.float64)
    controller = SelfConsumption()
    run = rollout(simulator, controller)
    assert run.flows.pv.shape == run.costs.total.shape == (3, 960)
    assert run.flows.ev_sockets.shape == (3, 960, 5)
    assert run.bess_soc.shape == (3, 961)
    assert run.peak_kw.shape == (3, 961, 2)

    state = simulator.initial(torch.tensor([2]), torch.tensor([0]))  # the last year alone
    for step in range(100):
        assert run.bess_soc[2, step] == state.bess_soc[0]
        assert torch.equal(run.peak_kw[2, step], state.peak_kw[0])
        state, flows, costs = simulator.step(state, controller.act(simulator.view(state)))
        torch.testing.assert_close(run.flows.grid_import[2, step], flows.grid_import[0])
        torch.testing.assert_close(run.flows.ev_sockets[2, step], flows.ev_sockets[0])
        torch.testing.assert_close(run.costs.total[2, step], costs.total[0])


def test_decisions_are_timed(small_site: Site, random_scenarios: Draw) -> None:
    class Slow(Uncontrolled):
        def act(self, view: AnyView) -> Tensor:
            end = time.process_time() + 0.004
            while time.process_time() < end:
                pass
            return super().act(view)

    simulator = Simulator(random_scenarios(small_site, scenarios=2, days=1), dtype=torch.float64)
    assert rollout(simulator, Slow()).decision_seconds > 0.002  # of each of two sites
    assert rollout(simulator, Uncontrolled()).decision_seconds > 0.0


def test_peaks_begin_anew_each_month(small_site: Site, random_scenarios: Draw) -> None:
    run = rollout(Simulator(random_scenarios(small_site, days=40), dtype=torch.float64), Uncontrolled())
    assert float(run.peak_kw[:, 31 * 24].abs().max()) == 0.0
    assert float(run.peak_kw[:, 31 * 24 - 1].min()) > 0.0

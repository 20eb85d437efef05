"""What actions mean, by hand; a residual of zero is the rule; service is kept; gradients are those of the costs."""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensordict import TensorDict
from torch import Tensor
from torchrl.envs import check_env_specs

from litgrid import controllers
from litgrid.algorithms.environments import make_env, rule_of
from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.action_maps import ActionMap, Residual, RuleName, highest_import_kw, physical, plain
from litgrid.sim.actions import least_share
from litgrid.sim.env import EnvConfig, SiteEnv
from litgrid.sim.gym import make_site
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.site import Battery, Site, replace

RandomScenarios = Callable[..., ScenarioSet]
RULES: tuple[RuleName, ...] = get_args(RuleName)
RESIDUAL = EnvConfig(battery="residual")
SAFE = {
    "residual": RESIDUAL,
    "idle": EnvConfig(battery="residual", rule="idle"),
    "band": EnvConfig(battery="band"),
    "together": EnvConfig(socket_actions="one"),
}


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=30)


def map_of(config: EnvConfig, scenarios: ScenarioSet) -> ActionMap:
    return config.action_map(rule_of(config, scenarios))


def view_at(scenarios: ScenarioSet, **state: Any) -> View:
    """A view of one site at the first noon, in float64, with its state (``simulator.initial``) and no vehicle."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    view = simulator.view(simulator.initial(torch.tensor([0]), torch.tensor([12]), **state))
    view.ev_soc, none = torch.zeros(1, 5, dtype=torch.float64), torch.zeros(1, 5, dtype=torch.float64)
    view.known |= {"left": none, "soc_required": none}
    return view


def with_vehicle(view: View, soc: float, required: float, left: float) -> View:
    """Let a car stand at the last socket (30 kWh, 7 kW, efficiency 0.9: 0.21 of the capacity in a step)."""
    last = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    view.ev_soc = last * soc
    view.known |= {"left": last * left, "soc_required": last * required}
    return view


@pytest.mark.parametrize(
    ("change", "battery", "car"),
    [
        (0.0, 0.2, 0.5 / 0.21),  # the rule; the physics clips what is more than a step
        (-0.5, 0.0, None),
        (1.0, 0.6, None),
        (-9.0, -0.2, None),
    ],
)
def test_residual_on_raw_sockets_by_hand(scenarios: ScenarioSet, change: float, battery: float, car: Any) -> None:
    """The rule charges the battery with 0.2 and the car with 2.38; an action of 1 adds 0.4 of the battery's power."""
    rule = torch.tensor([[0.2, 0.0, 0.0, 0.0, 0.0, 0.5 / 0.21]], dtype=torch.float64)
    action_map = Residual("raw", plain(lambda _: rule), 0.4)
    found = action_map(view_at(scenarios), torch.full((1, 6), change, dtype=torch.float64))
    assert found.bess.tolist() == pytest.approx([battery])
    expected = 0.5 / 0.21 + max(change, -1.0) if car is None else car
    assert float(found.sockets[0, -1]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("required", "change", "expected"),
    [
        (0.815, -1.0, 0.5),  # one and a half steps missing: half a step can't wait, and all of full power is of use
        (0.815, -0.5, 0.65),
        (0.815, 0.0, 0.8),
        (0.815, 0.25, 0.85),
        (0.815, 7.0, 1.0),
        (0.689, -7.0, 0.0),  # 0.9 steps missing: all can wait, and no more is of use
        (0.689, 0.0, 0.8),
        (0.689, 0.5, 0.85),
        (0.689, 1.0, 0.9),
        (0.605, 1.0, 0.8),  # half a step missing: the rule does more than that already, and is left its way
    ],
)
def test_residual_above_the_floor_by_hand(
    scenarios: ScenarioSet, required: float, change: float, expected: float
) -> None:
    """Two steps left; the rule gives 0.8."""
    view = with_vehicle(view_at(scenarios), soc=0.5, required=required, left=2.0)
    rule = torch.tensor([[0.9, 0.0, 0.0, 0.0, 0.0, 0.8]], dtype=torch.float64)
    found = Residual("floor", plain(lambda _: rule), 1.0)(view, torch.full((1, 6), change, dtype=torch.float64))
    assert float(found.sockets[0, -1]) == pytest.approx(expected)
    assert float(found.bess) == pytest.approx(min(max(0.9 + max(change, -1.0), -1.0), 1.0))


@pytest.mark.parametrize("battery", ["raw", "band", "residual"])
def test_one_action_for_all_sockets_is_that_of_each(scenarios: ScenarioSet, battery: Any) -> None:
    """The agent's last action, given to every socket; those before it are the site's."""
    apart = EnvConfig(battery=battery)
    each, together = (map_of(dataclasses.replace(apart, socket_actions=how), scenarios) for how in ("each", "one"))
    lowest = torch.tensor([0.0, -1.0, 0.0, 0.0, 0.0])
    site = 2 if battery == "band" else 1
    assert together.lowest(lowest).tolist() == [-1.0] * (site + 1)
    assert together.lowest(torch.zeros(5)).tolist() == [-1.0] * site + [-1.0 if battery == "residual" else 0.0]
    view = with_vehicle(view_at(scenarios), soc=0.5, required=0.9, left=3.0)
    action = torch.tensor([[0.3, -0.2, 0.7]], dtype=torch.float64)[:, 2 - site :]
    wide = torch.cat([action[:, :-1], action[:, -1:].expand(-1, 5)], 1)
    torch.testing.assert_close(physical(together, view, action), physical(each, view, wide), rtol=0, atol=0)


@pytest.mark.parametrize("battery", ["raw", "band", "residual"])
def test_without_actions_of_sockets_vehicles_charge_at_once(scenarios: ScenarioSet, battery: Any) -> None:
    """Or as the rule has them, which is at once for water filling; the battery does what it would."""
    left, each = (map_of(EnvConfig(battery=battery, socket_actions=how), scenarios) for how in ("none", "each"))
    site = 2 if battery == "band" else 1
    assert left.lowest(torch.zeros(5)).tolist() == [-1.0] * site
    assert left.lowest(torch.zeros(0)).tolist() == [-1.0] * site
    view = with_vehicle(view_at(scenarios), soc=0.5, required=0.9, left=3.0)
    action = torch.tensor([[0.3, -0.2]], dtype=torch.float64)[:, 2 - site :]
    found = left(view, action)
    torch.testing.assert_close(found.sockets[:, -1], charge_at_once(view)[:, -1])  # the others are free
    at_once = torch.cat([action, torch.full((1, 5), 0.0 if battery == "residual" else 1.0)], 1)
    torch.testing.assert_close(found.bess, each(view, at_once).bess)


def test_one_action_needs_sockets(scenarios: ScenarioSet) -> None:
    with pytest.raises(InputError, match="socket_actions: found one on a site without sockets, expected each"):
        map_of(EnvConfig(socket_actions="one"), scenarios).lowest(torch.empty(0))


def test_a_rule_below_the_floor_is_raised_to_it(scenarios: ScenarioSet) -> None:
    view = with_vehicle(view_at(scenarios), soc=0.5, required=0.605, left=1.0)
    found = Residual("floor", plain(lambda _: torch.zeros(1, 6)), 1.0)(view, torch.zeros(1, 6))
    torch.testing.assert_close(found.sockets, least_share(view))
    assert float(found.sockets[0, -1]) == pytest.approx(0.5)


def test_a_band_by_hand(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """Limits of 0.75 and 0.2 x 0.75 of the highest import, 30 + 3 x 2 + 2 x 7 = 50 kW: 37.5 and 7.5 kW."""
    assert highest_import_kw(small_site) == 50.0
    scenarios, actions = random_scenarios(small_site, days=2), torch.zeros(1, 7, dtype=torch.float64)
    actions[:, 0], actions[:, 1], actions[:, -1] = 0.5, 0.2, 1.0
    for net, expected in ((45.0, -0.5), (20.0, 0.0), (0.0, 0.5), (-30.0, 1.0), (90.0, -1.0)):
        scenarios.series["pv_kw"][:] = 10.0
        scenarios.series["load_kw"][:] = net + 10.0
        found = EnvConfig(battery="band", sockets="raw").action_map(None)(view_at(scenarios), actions)
        assert float(found.bess) == pytest.approx(expected)
        view = with_vehicle(view_at(scenarios), soc=0.2, required=0.9, left=3.0)  # takes 7 kW, all others nothing
        found = EnvConfig(battery="band", sockets="raw").action_map(None)(view, actions)
        assert float(found.bess) == pytest.approx(min(max(expected_with(net + 7.0), -1.0), 1.0))
        assert found.sockets.tolist() == actions[:, 2:].tolist()


def expected_with(net_kw: float) -> float:
    """Share of the battery's 15 kW that keeps an import between 7.5 and 37.5 kW."""
    return (max(7.5 - net_kw, 0.0) - max(net_kw - 37.5, 0.0)) / 15.0


def test_limits_of_a_band_never_cross(scenarios: ScenarioSet) -> None:
    """Lowest limits: the battery takes surplus and gives all else, which is self-consumption."""
    view, config = view_at(scenarios), EnvConfig(battery="band")
    greedy = controllers.make("self_consumption", scenarios).act(view)
    for second in (-1.0, 0.0, 1.0):
        action = torch.tensor([[-1.0, second, 0.0, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
        assert float(config.action_map(None)(view, action).bess) == pytest.approx(float(greedy[0, 0]))


@pytest.mark.parametrize("rule", RULES)
def test_a_residual_of_zero_is_the_rule(scenarios: ScenarioSet, rule: RuleName) -> None:
    """Over days, from any state: the same flows and costs."""
    config = EnvConfig(battery="residual", rule=rule, sockets="raw" if rule == "idle" else "floor")
    simulator, controller = Simulator(scenarios, dtype=torch.float64), controllers.make(rule, scenarios)
    action_map = map_of(config, scenarios)
    states = [simulator.initial(torch.tensor([0, 1]), torch.tensor([0, 250]))] * 2
    total = torch.zeros(2, dtype=torch.float64)
    for _ in range(120):
        view = simulator.view(states[0])
        action = physical(action_map, view, torch.zeros(2, 6, dtype=torch.float64))
        first, second = (
            simulator.step(state, a) for state, a in zip(states, (action, controller.act(view)), strict=True)
        )
        for found, expected in zip((*first[1], *first[2]), (*second[1], *second[2]), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        total += second[2].total
        states = [first[0], second[0]]
    assert float(total.min()) > 100.0


@pytest.mark.parametrize("name", SAFE)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), v2g=st.booleans())
def test_whatever_the_agent_does_service_is_kept(
    small_site: Site, random_scenarios: RandomScenarios, name: str, v2g: bool, seed: int
) -> None:
    groups = [dataclasses.replace(group, v2g=v2g) for group in small_site.fleet.groups]
    site = replace(small_site, fleet=dataclasses.replace(small_site.fleet, groups=groups))
    scenarios = random_scenarios(site, days=3, seed=seed)
    action_map, simulator = map_of(SAFE[name], scenarios), Simulator(scenarios, dtype=torch.float64)
    draw = torch.Generator().manual_seed(seed)
    state = simulator.initial(torch.tensor([0, 1]), torch.tensor([0, 7]))
    size = len(action_map.lowest(simulator.params.socket_lowest))
    required = 0.0
    for _ in range(simulator.steps):
        action = torch.rand(2, size, generator=draw, dtype=torch.float64) * 2.4 - 1.2
        state, flows, _ = simulator.step(state, physical(action_map, simulator.view(state), action))
        assert float(flows.ev_unserved.max()) < 1e-9
        required += float(flows.ev_required.sum())
    assert required > 50.0


def cost_of(simulator: Simulator, action_map: ActionMap, actions: Tensor, soc: Tensor) -> Tensor:
    """What steps with given actions [T, B, A] cost from midday on, the charged battery's energy being worth something.

    Actions also follow the state, as a policy's would: so gradients have to pass through what actions change.
    """
    state = simulator.initial(torch.tensor([0, 1]), torch.tensor([10, 34]), soc)
    state = state._replace(peak_kw=torch.full_like(state.peak_kw, 20.0))
    cost = torch.zeros((), dtype=torch.float64)
    for action in actions:
        view = simulator.view(state)
        followed = action + 0.1 * (view.bess_soc - 0.5).unsqueeze(-1)
        state, _, costs = simulator.step(state, physical(action_map, view, followed))
        cost = cost + costs.total.sum()
    return cost - 0.4 * state.bess_soc.sum() - 0.1 * state.ev_soc.sum()


CONFIGS = {
    "raw": EnvConfig(),
    "band": EnvConfig(battery="band"),
    "band, one action": EnvConfig(battery="band", socket_actions="one"),
    **{f"on {rule}": EnvConfig(battery="residual", rule=rule, span=0.8) for rule in RULES},
    "on raw sockets": EnvConfig(battery="residual", sockets="raw"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_those_of_the_costs(scenarios: ScenarioSet, name: str) -> None:
    """Of twelve steps, for every action and for the first SOC, against central differences."""
    action_map, simulator = map_of(CONFIGS[name], scenarios), Simulator(scenarios, dtype=torch.float64)
    size = len(action_map.lowest(simulator.params.socket_lowest))
    draw = torch.Generator().manual_seed(3)
    actions = (torch.rand(12, 2, size, generator=draw, dtype=torch.float64) * 0.6 - 0.3).requires_grad_()
    soc = torch.tensor([0.45, 0.7], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(cost_of(simulator, action_map, actions, soc), (actions, soc))
    assert all(bool(gradient.isfinite().all()) for gradient in found)
    heads = size - (1 if "one action" in name else 5)
    assert float(found[0][..., :heads].abs().max()) > 1e-3
    assert float(found[0][..., heads:].abs().max()) > 1e-3
    with torch.no_grad():
        for which in range(0, actions.numel(), 11):
            assert difference(simulator, action_map, (actions, soc), 0, which) == pytest.approx(
                float(found[0].flatten()[which]), abs=2e-5
            )
        for which in range(2):
            assert difference(simulator, action_map, (actions, soc), 1, which) == pytest.approx(
                float(found[1][which]), abs=2e-5
            )


def difference(simulator: Simulator, action_map: ActionMap, values: tuple[Tensor, Tensor], part: int, at: int) -> float:
    """Central difference of the cost in one number."""
    costs = []
    for sign in (1.0, -1.0):
        moved = [value.clone() for value in values]
        moved[part].view(-1)[at] += sign * 1e-6
        costs.append(float(cost_of(simulator, action_map, moved[0], moved[1])))
    return (costs[0] - costs[1]) / 2e-6


@pytest.mark.parametrize("config", [RESIDUAL, EnvConfig(battery="band", observation="entity")])
def test_environments_have_the_actions(scenarios: ScenarioSet, config: EnvConfig) -> None:
    env = make_env(scenarios, 3, dataclasses.replace(config, window_hours=5))
    check_env_specs(env)
    size = 6 if config.battery == "residual" else 7
    assert env.action_spec.shape == (3, size)
    one_sided = 0 if config.battery == "residual" else 5
    assert int((env.action_spec.space.low == 0).sum()) == 3 * one_sided
    assert bool((env.action_spec.space.high == 1).all())


@pytest.mark.parametrize("battery", ["residual", "band"])
def test_an_environment_without_battery(small_site: Site, random_scenarios: RandomScenarios, battery: Any) -> None:
    scenarios = random_scenarios(replace(small_site, battery=Battery(0.0, 0.0)), days=3)
    env = make_env(scenarios, 2, EnvConfig(battery=battery, window_hours=20))
    assert bool(env.rollout(19)["next", "reward"].isfinite().all())


@pytest.mark.slow
@pytest.mark.parametrize("config", [RESIDUAL, EnvConfig(battery="band", socket_actions="one")])
def test_compiled_steps_are_the_same(scenarios: ScenarioSet, config: EnvConfig) -> None:
    config = dataclasses.replace(config, window_hours=9)
    envs = [make_env(scenarios, 3, dataclasses.replace(config, compile=fused), seed=1) for fused in (False, True)]
    draw, carried = torch.Generator().manual_seed(0), [env.reset() for env in envs]
    for _ in range(30):
        action = torch.rand(envs[0].action_spec.shape, generator=draw) * 2 - 1
        pairs = [env.step_and_maybe_reset(td.set("action", action)) for env, td in zip(envs, carried, strict=True)]
        done, carried = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        torch.testing.assert_close(done[1]["next"], done[0]["next"], rtol=1e-4, atol=1e-4)


def test_resuming_is_exact(scenarios: ScenarioSet) -> None:
    env, resumed = (make_env(scenarios, 3, dataclasses.replace(RESIDUAL, window_hours=7), seed=s) for s in (1, 2))
    draw = torch.Generator().manual_seed(0)
    actions = torch.rand(10, 3, 6, generator=draw) * 2 - 1
    start = env.reset()
    resumed.load_state_dict({key: value.clone() for key, value in env.state_dict().items()})
    for action in actions:
        rewards = []
        for each in (env, resumed):
            rewards.append(each.step(TensorDict({"action": action}, batch_size=[3]))["next", "reward"])
        assert torch.equal(*rewards)
    assert start.batch_size == (3,)


def test_gymnasium_takes_the_rule(scenarios: ScenarioSet) -> None:
    with pytest.raises(InputError, match="battery: found residual and no rule"):
        make_site(scenarios=scenarios, config=RESIDUAL)
    env = make_site(scenarios=scenarios, config=RESIDUAL, rule=rule_of(RESIDUAL, scenarios))
    assert env.action_space.shape == (6,)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[2:4] == (False, False)
    assert make_site(scenarios=scenarios, config=EnvConfig(battery="band")).action_space.shape == (7,)


def test_citylearns_back_end_takes_both(scenarios: ScenarioSet) -> None:
    pytest.importorskip("citylearn")
    for config in (dataclasses.replace(RESIDUAL, window_hours=6), EnvConfig(battery="band", window_hours=6)):
        ours, theirs = (
            make_env(scenarios, 1, dataclasses.replace(config, backend=backend), seed=3)
            for backend in ("litgrid", "citylearn")
        )
        actions = torch.rand(5, *ours.action_spec.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        for action in actions:
            rewards = [e.step(TensorDict({"action": action}, batch_size=[1]))["next", "reward"] for e in (ours, theirs)]
            torch.testing.assert_close(*rewards, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"span": 0.0, "battery": "residual"}, "span: found 0.0, expected above 0 and at most 2"),
        ({"span": 2.5, "battery": "residual"}, "span: found 2.5, expected above 0 and at most 2"),
        ({"span": 0.5}, "span: found 0.5 with battery raw, expected battery residual"),
        (
            {"rule": "self_consumption", "battery": "band"},
            "rule: found self_consumption with battery band, expected battery residual",
        ),
    ],
)
def test_what_would_not_be_heeded_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        EnvConfig(**config)
    assert str(error.value) == message


def test_sites_alone_know_no_rule(scenarios: ScenarioSet) -> None:
    with pytest.raises(InputError, match=r"battery: found residual and no rule, expected .* \(water_filling\)"):
        SiteEnv(scenarios, 1, RESIDUAL)


def test_maps_of_other_rules_may_share_a_view(scenarios: ScenarioSet) -> None:
    """What one rule advises is not taken for another's."""
    shared = view_at(scenarios, bess_soc=torch.tensor([0.5]))
    for rule in ("water_filling", "self_consumption"):
        residual = map_of(EnvConfig(battery="residual", rule=rule), scenarios)
        own = view_at(scenarios, bess_soc=torch.tensor([0.5]))
        for told, expected in zip(residual.told(shared), residual.told(own), strict=True):
            torch.testing.assert_close(told, expected)

"""The TorchRL environment of an imported district."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from tensordict import TensorDict
from torchrl.envs.utils import check_env_specs

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.district_split import split_district
from litgrid.scenarios.random_district import Features, write_random
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.citylearn_observations import CityLearnObserver
from litgrid.sim.citylearn_rewards import battery_homes, marl, reward_function, solar_penalty
from litgrid.sim.citylearn_vehicle_reward import vehicle_data, vehicle_reward
from litgrid.sim.district_actions import floor
from litgrid.sim.district_env import DistrictEnv
from litgrid.sim.district_features import features
from litgrid.sim.district_observations import CHARGER_FEATURES, entity, flat, site_columns
from litgrid.sim.district_world import DistrictWorld
from litgrid.sim.env import EnvConfig, make_env
from litgrid.site.site import Objective, Site

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"
EVERYTHING = Features(
    steps=30 * 24, buildings=3, chargers=2, v2g=True, curves=True, dead_band=True, losses=True, outage=True, limits=True
)
OBSERVATIONS = ("flat", "entity", "citylearn")
KINDS = ("objective", "import", "solar_penalty", "marl", "vehicles")


def read(wanted: Features, seed: int = 0) -> District:
    with tempfile.TemporaryDirectory() as folder:
        return read_district(write_random(Path(folder) / "data", wanted, seed).parent)[0]


@pytest.fixture(scope="module")
def district() -> District:
    return read(EVERYTHING)


def env_of(district: District, envs: int = 3, split: Any = "train", seed: int = 0, **config: Any) -> DistrictEnv:
    env = make_env(split_district(district, split, Objective()), envs, EnvConfig(**config), seed=seed)
    assert isinstance(env, DistrictEnv)
    return env


def actions(env: DistrictEnv, steps: int, seed: int = 0) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return list(torch.rand((steps, *env.action_spec.shape), generator=draw) * 2 - 1)


def run(env: DistrictEnv, tensordict: TensorDict, given: list[torch.Tensor]) -> tuple[TensorDict, TensorDict]:
    """Step with resets; returns the last input for the next step, and everything stacked."""
    steps = []
    for action in given:
        tensordict["action"] = action
        done, tensordict = env.step_and_maybe_reset(tensordict)
        steps.append(done)
    return tensordict, torch.stack(steps)


@pytest.mark.parametrize(
    "config", [*({"observation": form} for form in OBSERVATIONS), {"window_hours": 0}, {"sockets": "raw"}]
)
def test_specs(district: District, config: dict[str, Any]) -> None:
    check_env_specs(env_of(district, **config))


@pytest.mark.parametrize("wanted", [Features(chargers=0), Features(steps=24 * 8, buildings=1, step_seconds=900)])
def test_specs_of_other_districts(wanted: Features) -> None:
    for observation in OBSERVATIONS:
        check_env_specs(env_of(read(wanted), split="all", observation=observation, window_hours=6))


def test_actions_are_two_sided_where_chargers_discharge(district: District) -> None:
    batteries = sum(building.battery is not None for building in district.buildings)
    assert env_of(district).action_spec.space.low.tolist() == [[-1.0] * (batteries + 6)] * 3
    one_way = env_of(read(dataclasses.replace(EVERYTHING, v2g=False)))
    assert one_way.action_spec.space.low.tolist() == [[-1.0] * batteries + [0.0] * 6] * 3
    assert bool((one_way.action_spec.space.high == 1).all())


@pytest.mark.parametrize("kind", KINDS)
def test_rewards_are_what_they_are_named_after(district: District, kind: Any) -> None:
    env = env_of(district, reward=kind, reward_scale=0.5, sockets="raw")
    _, before_last = run(env, env.reset(), actions(env, 4))
    state, (action,) = env.state, actions(env, 1, seed=1)
    _, flows, costs = env.world.step(state, action)
    previous = env.flows
    assert previous is not None
    expected = {
        "objective": -costs.total.unsqueeze(-1),
        "import": reward_function(flows),
        "solar_penalty": solar_penalty(flows, battery_homes(district)),
        "marl": marl(flows),
        "vehicles": vehicle_reward(flows, previous.vehicle_soc, state.step, vehicle_data(district), central=True),
    }[kind].sum(-1, keepdim=True)
    found = env.step(TensorDict({"action": action}, batch_size=[3]))["next", "reward"]
    torch.testing.assert_close(found, 0.5 * expected)
    assert float(before_last["next", "reward"].abs().max()) > 0.0


def test_the_first_reward_of_an_episode_sees_initial_socs(district: District) -> None:
    env = env_of(district, reward="vehicles", sockets="raw", reward_scale=1.0)
    env.reset()
    state, (action,), data = env.state, actions(env, 1), vehicle_data(district)
    _, flows, _ = env.world.step(state, action)
    expected = vehicle_reward(flows, data.initial_soc, state.step, data, central=True).sum(-1, keepdim=True)
    torch.testing.assert_close(env.step(TensorDict({"action": action}, [3]))["next", "reward"], expected)


def test_actions_are_mapped(district: District) -> None:
    env = env_of(district)
    state, (action,) = env.state, actions(env, 1)
    _, _, costs = env.world.step(state, floor(env.world.view(state), action))
    found = env.step(TensorDict({"action": action}, batch_size=[3]))["next", "reward"]
    torch.testing.assert_close(found, -0.01 * costs.total.unsqueeze(-1))


def test_windows_stay_in_the_blocks_of_their_split() -> None:
    district = read(Features(steps=60 * 24, chargers=1))
    rows: dict[str, set[int]] = {}
    for split in ("train", "validation", "test"):
        env = env_of(district, 2000, split, window_hours=24)
        blocks = env.world.scenarios.blocks
        starts, ends = env.state.step.tolist(), env._end.tolist()
        assert {end - start for start, end in zip(starts, ends, strict=True)} == {24}
        inside = [
            [first <= start and end <= last for first, last in blocks] for start, end in zip(starts, ends, strict=True)
        ]
        assert all(sum(row) == 1 for row in inside)
        nearest = [min(start - first for start in starts if start >= first) for first, _ in blocks]
        assert max(nearest) <= 3
        rows[split] = {row for start, end in zip(starts, ends, strict=True) for row in range(start, end)}
    assert not rows["train"] & (rows["validation"] | rows["test"])
    assert not rows["validation"] & rows["test"]


def test_windows_start_with_batteries_of_any_soc(district: District) -> None:
    env = env_of(district, 3000)
    least, soc = env.world.simulator.batteries.min_soc, env.state.bess_soc
    share = (soc - least) / (1.0 - least)
    assert float(share.min()) >= 0.0
    torch.testing.assert_close(share.mean(0), torch.full_like(least, 0.5), atol=0.03, rtol=0.0)


def test_whole_blocks_once_each() -> None:
    district = read(Features(steps=60 * 24, chargers=1))
    env = env_of(district, 5, "validation", window_hours=0)
    (first, second), per_day = env.world.scenarios.blocks, 24
    assert env.state.step.tolist() == [first[0], second[0], first[0], second[0], first[0]]
    lengths = [first[1] - first[0], second[1] - second[0]]
    assert lengths[0] == 4 * per_day
    batteries = env.world.simulator.batteries
    assert torch.equal(env.state.bess_soc[0], batteries.initial_soc)
    _, steps = run(env, env.reset(), actions(env, lengths[0]))
    assert steps["next", "truncated"][:, 0, 0].nonzero().flatten().tolist() == [lengths[0] - 1]
    assert not bool(steps["next", "terminated"].any())
    assert env.state.step.tolist()[0] == first[0]


def test_a_partial_reset_leaves_the_others_alone(district: District) -> None:
    for observation in ("flat", "citylearn"):
        env = env_of(district, 4, observation=observation)
        tensordict, _ = run(env, env.reset(), actions(env, 3))
        state = env.state
        chosen = torch.tensor([True, False, False, True]).unsqueeze(-1)
        fresh = env.reset(tensordict.clone().set("_reset", chosen))
        for new, old in zip(env.state, state, strict=True):
            assert torch.equal(new[1:3], old[1:3])
        assert bool((env.state.step != state.step)[[0, 3]].all())
        assert torch.equal(fresh["observation"][1:3], tensordict["observation"][1:3])


@pytest.mark.parametrize(
    ("observation", "reward"), [("flat", "objective"), ("entity", "vehicles"), ("citylearn", "vehicles")]
)
def test_a_resumed_run_equals_an_uninterrupted_one(district: District, observation: str, reward: str) -> None:
    """Bit for bit, across the end of a window and a partial reset, in another object with another seed."""
    config: dict[str, Any] = {"window_hours": 7, "observation": observation, "reward": reward}
    env, resumed = env_of(district, seed=1, **config), env_of(district, seed=2, **config)
    tensordict, _ = run(env, env.reset(), actions(env, 5))
    saved = {key: value.clone() for key, value in env.state_dict().items()}
    chosen = torch.tensor([True, False, False]).unsqueeze(-1)
    carried = tensordict.clone().set("_reset", chosen)
    _, expected = run(env, env.reset(carried.clone()), actions(env, 12, seed=1))
    resumed.load_state_dict(saved)
    _, found = run(resumed, resumed.reset(carried.clone()), actions(env, 12, seed=1))
    assert bool((found == expected).all())


def test_citylearns_vector_is_of_the_step_before(district: District) -> None:
    env = env_of(district, observation="citylearn", window_hours=5)
    observer = CityLearnObserver(district)
    first = env.reset()
    assert torch.equal(first["observation"], observer.observe(env.state.district, None))
    _, steps = run(env, first, actions(env, 4))
    assert torch.equal(steps["next", "observation"][-1], observer.observe(env.state.district, env.flows))
    tensordict, last = run(env, steps[-1]["next"].clone(), actions(env, 1))
    assert bool(last["next", "done"].all())
    assert torch.equal(tensordict["observation"], observer.observe(env.state.district, None))


def test_features_are_named_finite_and_of_order_1(district: District) -> None:
    env = env_of(district, split="all", observation="entity")
    world = env.world
    view = world.view(world.initial(torch.arange(world.steps)))
    found = entity(view)
    names = site_columns(district)
    assert len(names) == len(set(names)) == found["site"].shape[-1]
    assert found["sockets"].shape == (world.steps, 6, len(CHARGER_FEATURES))
    for key in ("site", "sockets"):
        assert bool(found[key].isfinite().all())
        assert float(found[key].abs().max()) <= 1.0 + 1e-6
    assert torch.equal(found["mask"], view.connected)
    assert float(found["sockets"][~found["mask"]].abs().max()) == 0.0
    by_feature = found["sockets"].transpose(1, 2).flatten(1)
    assert torch.equal(flat(view), torch.cat([found["site"], by_feature], -1))
    assert bool((found["site"].std(0) > 0).double().mean() > 0.9)


def test_forecasts_by_hand_and_nothing_of_the_future(district: District) -> None:
    names = site_columns(district)
    world = DistrictWorld(split_district(district, "all", Objective()), dtype=torch.float64)
    table = features(world.simulator)
    load, price = district.series["load_kwh"], district.series["price_per_kwh"]
    for row in (200, 400):
        for hour in (0, 1, 23):
            before = [load[row + hour - 24 * day].sum() for day in range(1, 8)]
            expected = torch.stack(before).mean() / load.amax(0).sum()
            torch.testing.assert_close(table[row, names.index(f"load_mean7_{hour}")], expected)
            yesterday = price[row + hour - 24].mean() / price.max()
            torch.testing.assert_close(table[row, names.index(f"price_persistence_{hour}")], yesterday)
    changed = district.series.clone()
    for key in ("load_kwh", "pv_kwh", "price_per_kwh", "carbon_kg_per_kwh"):
        changed[key][301:] *= 0.5
        changed[key][-1] = district.series[key].amax(0)  # the scales stay
    other = DistrictWorld(
        split_district(dataclasses.replace(district, series=changed), "all", Objective()), dtype=torch.float64
    )
    assert torch.equal(features(other.simulator)[:301], table[:301])
    assert not torch.equal(features(other.simulator)[301], table[301])
    assert float(table[0, names.index("load_mean7_0")]) == 0.0  # no day before


@pytest.mark.slow
def test_compiled_steps_are_the_eager_ones() -> None:
    """To rounding; without dead-bands, at whose edges rounding decides."""
    district = read(Features(steps=24 * 8, chargers=2, v2g=True, losses=True))
    config: dict[str, Any] = {"split": "all", "window_hours": 20, "reward": "vehicles"}
    envs = [env_of(district, compile=fused, **config) for fused in (False, True)]
    eager, compiled = (run(env, env.reset(), actions(env, 30))[1] for env in envs)
    for key in (("next", "reward"), ("next", "observation"), "observation"):
        torch.testing.assert_close(compiled[key], eager[key], atol=1e-4, rtol=1e-5)
    assert torch.equal(compiled["next", "done"], eager["next", "done"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"backend": "citylearn"}, "backend: found citylearn with an imported data set, expected litgrid"),
        (
            {"window_hours": 23 * 24},
            "window_hours: found 552, expected a whole number of steps of 1 h and at most 528 h, the shortest block "
            "of train rows (0: whole blocks)",
        ),
    ],
)
def test_what_a_district_can_not_do(district: District, config: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        env_of(district, **config)
    assert str(error.value) == message


@pytest.mark.parametrize("config", [{"observation": "citylearn"}, {"reward": "marl"}])
@pytest.mark.parametrize("backend", ["litgrid", "citylearn"])
def test_what_a_site_can_not_do(small_site: Site, random_scenarios: Any, config: dict[str, Any], backend: Any) -> None:
    scenarios: ScenarioSet = random_scenarios(small_site, days=3)
    (key, value), *_ = config.items()
    with pytest.raises(InputError, match=f"{key}: found {value}, expected .* on a site"):
        make_env(scenarios, 1, EnvConfig(backend=backend, **config))


@pytest.mark.skipif(not PUBLIC.exists(), reason=f"no {PUBLIC}")
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_the_public_data_set(observation: str) -> None:
    env = env_of(read_district(PUBLIC)[0], 64, observation=observation)
    _, steps = run(env, env.reset(), actions(env, 50))
    assert bool(steps["next", "reward"].isfinite().all())
    assert int(steps["next", "done"].sum()) == 64
    assert float(steps["next", "reward"].std()) > 0.0

"""The same actions through CityLearn and through ``DistrictSimulator``, and how far apart they are."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from litgrid.scenarios.district import District
from litgrid.sim.citylearn import NoReward, environment_class, process_settings_kept
from litgrid.sim.citylearn_observations import CityLearnObserver
from litgrid.sim.district import DistrictSimulator

Run = dict[str, Tensor]
"""Quantity -> [steps, assets], float64."""
SOCS = ("bess_soc", "vehicle_soc")
OBSERVATIONS = "observations"
"""[steps, F] what is seen before each step."""


class _NoDrift:
    """Stands in for CityLearn's random numbers: vehicles that are away keep their SOC."""

    def normal(self, mean: float, deviation: float) -> float:  # noqa: ARG002 (numpy's interface)
        return mean


def random_actions(district: District, steps: int, seed: int) -> Tensor:
    """Actions [steps, K + N] of all signs, a quarter of them 0 or full power, some beyond it."""
    draw = np.random.default_rng(seed)
    count = sum(building.battery is not None for building in district.buildings) + len(district.chargers)
    actions = draw.uniform(-1.2, 1.2, (steps, count))
    exact = draw.choice([-1.0, 0.0, 1.0], actions.shape)
    return torch.from_numpy(np.where(draw.uniform(size=actions.shape) < 0.25, exact, actions))


def load_citylearn(schema: Path, observed: bool = False) -> Any:
    """A ``CityLearnEnv`` of a data set, without rewards.

    Args:
        schema: its path.
        observed: with the observations of a central agent; else with hardly any, which is faster.
    """
    with process_settings_kept():
        env = environment_class()(
            str(schema),
            central_agent=observed,
            offline=True,
            render_mode="none",
            active_observations=None if observed else ["hour"],
        )
    env.reward_function = NoReward()
    return env


def run_citylearn(env: Any, district: District, actions: Tensor, first: int = 0, drift: bool = False) -> Run:
    """Step CityLearn from a row on; a run of an environment for a central agent has its observations.

    Args:
        env: of ``load_citylearn``.
        district: the same, as read.
        actions: [steps, K + N].
        first: row with which the episode begins.
        drift: let vehicles drift as they do in CityLearn; else they keep their SOC while they are away.
    """
    env.episode_time_steps = [(first, district.rows - 1)]
    for building in env.buildings:
        building._charging_constraint_last_penalty_kwh = 0.0  # which it keeps from the episode before
    seen = env.reset()[0]
    if not drift:
        env._ev_drift_random_state = _NoDrift()
    columns = _columns(env, district)
    rows = []
    for action in actions.tolist():
        t, shown = env.time_step, {OBSERVATIONS: seen[0]} if env.central_agent else {}
        given = [[0.0 if column is None else action[column] for column in building] for building in columns]
        seen = env.step([list(chain.from_iterable(given))] if env.central_agent else given)[0]
        rows.append(_recorded(env, district, t) | shown)
    return {key: torch.tensor(np.array([row[key] for row in rows], dtype=np.float64)) for key in rows[0]}


def _columns(env: Any, district: District) -> list[list[int | None]]:
    """Where each action of CityLearn's buildings is in ours; None for a battery without capacity."""
    batteries = [i for i, building in enumerate(district.buildings) if building.battery is not None]
    column: dict[tuple[int, str], int | None] = {(i, "electrical_storage"): k for k, i in enumerate(batteries)}
    for n, charger in enumerate(district.chargers):
        column[charger.building, f"electric_vehicle_storage_{charger.name}"] = len(batteries) + n
    return [[column.get((i, name)) for name in building.active_actions] for i, building in enumerate(env.buildings)]


def _recorded(env: Any, district: District, t: int) -> dict[str, list[float]]:
    """What CityLearn has at row t, after its step."""
    buildings = env.buildings
    batteries = [
        building.electrical_storage
        for building, ours in zip(buildings, district.buildings, strict=True)
        if ours.battery is not None
    ]
    by_name = {(i, c.charger_id): c for i, b in enumerate(buildings) for c in b.electric_vehicle_chargers or []}
    chargers = [by_name[charger.building, charger.name] for charger in district.chargers]
    fleet = {vehicle.name: vehicle.battery for vehicle in env.electric_vehicles}
    vehicles = [fleet[vehicle.name] for vehicle in district.vehicles]
    return {
        "bess_soc": [battery.soc[t] for battery in batteries],
        "bess_capacity_kwh": [battery.degraded_capacity for battery in batteries],
        "bess_kwh": [building.electrical_storage_electricity_consumption[t] for building in buildings],
        "vehicle_soc": [vehicle.soc[t] for vehicle in vehicles],
        "vehicle_capacity_kwh": [vehicle.degraded_capacity for vehicle in vehicles],
        "charger_kwh": [charger.electricity_consumption[t] for charger in chargers],
        "commanded_kwh": [charger.past_charging_action_values_kwh[t] for charger in chargers],
        "load_kwh": [building.non_shiftable_load_electricity_consumption[t] for building in buildings],
        "net_kwh": [building.net_electricity_consumption[t] for building in buildings],
        "cost": [building.net_electricity_consumption_cost[t] for building in buildings],
        "co2_kg": [building.net_electricity_consumption_emission[t] for building in buildings],
        "violation_kwh": [building._charging_constraint_last_penalty_kwh for building in buildings],
    }


def run_simulator(
    simulator: DistrictSimulator, actions: Tensor, first: int = 0, observer: CityLearnObserver | None = None
) -> Run:
    """Step our simulator from a row on; arguments as for CityLearn, and what observes, if anything does."""
    state, before = simulator.initial(torch.tensor([first])), None
    rows = []
    for action in actions.to(simulator.device, simulator.dtype):
        seen = None if observer is None else observer.observe(state, before)
        state, before = simulator.step(state, action.unsqueeze(0))
        found = before._asdict() | ({} if seen is None else {OBSERVATIONS: seen})
        found["bess_capacity_kwh"] = simulator.batteries.capacity_kwh * (1.0 - state.bess_lost)
        found["vehicle_capacity_kwh"] = simulator.vehicles.capacity_kwh * (1.0 - state.vehicle_lost)
        rows.append({key: value[0].double().cpu() for key, value in found.items()})
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def worst_errors(ours: Run, citylearn: Run, district: District) -> dict[str, float]:
    """Largest error of each quantity in any step, as |a - b| / max(1, nominal scale).

    The nominal scale of a SOC is 1; of what a battery takes or gives its capacity, since CityLearn keeps its SOC as a
    float32 share of that; of other energies the largest capacity, or the largest value of the run where that is more;
    of cost and CO2 that times the highest price and intensity; of any other quantity its largest value in the run.
    Observations of such quantities have their scales, all others that of their own largest value.
    """
    capacity = torch.tensor([b.battery.capacity_kwh if b.battery else 0.0 for b in district.buildings]).double()
    nominal = {"bess_kwh": capacity} | {key: torch.ones(1) for key in SOCS}
    if OBSERVATIONS in citylearn:
        nominal[OBSERVATIONS] = _observation_scales(citylearn, district, capacity)
    storages = [*(b.battery for b in district.buildings if b.battery), *(v.storage for v in district.vehicles)]
    largest_kwh = max((storage.capacity_kwh for storage in storages), default=0.0)
    price, carbon = (float(district.series[key].max()) for key in ("price_per_kwh", "carbon_kg_per_kwh"))
    least = dict.fromkeys(("net_kwh", "charger_kwh"), largest_kwh)
    least |= {"cost": largest_kwh * price, "co2_kg": largest_kwh * carbon}
    errors = {}
    for key, theirs in citylearn.items():
        if theirs.numel():
            largest = theirs.abs().max().clamp(min=least.get(key, 0.0))
            scale = nominal.get(key, largest).clamp(min=1.0)
            errors[key] = float(((ours[key] - theirs).abs() / scale).max())
    return errors


def _observation_scales(citylearn: Run, district: District, capacity: Tensor) -> Tensor:
    """[F] nominal scales."""
    scales = citylearn[OBSERVATIONS].abs().amax(0)
    for column, (home, name) in enumerate(zip(district.observed.buildings, district.observed.names, strict=True)):
        if name == "electrical_storage_electricity_consumption":
            scales[column] = capacity[home]
        elif name == "net_electricity_consumption":
            scales[column] = citylearn["net_kwh"].abs().max()
    return scales

"""What of a CityLearn data set is outside the electrical model: refused by name, or left out with a warning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_folder import Schema, flag, included, included_buildings, parts
from litgrid.scenarios.citylearn_storage import BATTERY

BUILDING = "citylearn.citylearn.Building"
_BUILDINGS = (BUILDING, "citylearn.building.Building")
_CHARGER = "citylearn.electric_vehicle_charger.Charger"
_VEHICLES = ("citylearn.citylearn.ElectricVehicle", "citylearn.electric_vehicle.ElectricVehicle")
_THERMAL = ("cooling", "heating", "dhw")
_SYSTEMS = ("community_market", "demand_response", "robustness")
_OF_A_BUILDING = {"dynamics": "thermal dynamics", "occupant": "an occupant model", "escalators": "escalators"}
_ACTIONS = ("electrical_storage", "electric_vehicle_storage")


def check_scope(schema: Schema, where: str, drop_washing_machines: bool) -> list[str]:
    """Refuse what would change the energies and is not modelled.

    Args:
        schema: of the data set.
        where: the schema's path, for messages.
        drop_washing_machines: leave washing machines and other deferrable appliances out.

    Returns:
        One line for all that is left out or does nothing.

    Raises:
        InputError: the data set needs something that is not modelled.
    """
    _check_systems(schema, where)
    odd: list[str] = []
    for name, building in included_buildings(schema).items():
        place = f"{where}, buildings.{name}"
        _check_building(building, place)
        for thermal in _THERMAL:
            odd += _thermal(schema, building, thermal, place)
        odd += _appliances(building, place, drop_washing_machines)
        for charger, settings in parts(building, "chargers"):
            _check_type(settings, (_CHARGER,), f"{place}.chargers.{charger}")
            _check_noise(settings, f"{place}.chargers.{charger}")
    for name, vehicle in parts(schema, "electric_vehicles_def"):
        if included(vehicle):
            _check_type(vehicle, _VEHICLES, f"{where}, electric_vehicles_def.{name}", default=_VEHICLES[0])
    return odd


def check_demand(table: pd.DataFrame, path: str) -> None:
    """Refuse a building with heat or cold to be supplied."""
    for thermal in _THERMAL:
        column = f"{thermal}_demand"
        if (table[column] != 0).any():
            highest = table[column].max()
            raise InputError(
                f"{path}, column {column}: found {highest:g} kWh, expected 0 (no heat pumps and heaters here)"
            )


def active(schema: Schema, building: Schema, action: str) -> bool:
    """Whether an action of a building is active."""
    setting = (schema.get("actions") or {}).get(action) or {}
    inactive = building.get("inactive_actions") or []
    return flag(setting.get("active"), False, f"actions.{action}.active") and action not in inactive


def _check_systems(schema: Schema, where: str) -> None:
    if schema.get("topology_mode") == "dynamic" or schema.get("topology_events"):
        raise InputError(f"{where}, topology_events: found a changing topology, expected a static one")
    for name in _SYSTEMS:
        settings = schema.get(name) or {}
        on = settings.get("enabled", bool(settings)) if isinstance(settings, dict) else settings
        if flag(on, False, f"{where}, {name}"):
            raise InputError(f"{where}, {name}: found it enabled, expected none (not modelled)")


def _check_building(building: Schema, place: str) -> None:
    _check_type(building, _BUILDINGS, place, default=BUILDING)
    _check_noise(building, place)
    for key, words in _OF_A_BUILDING.items():
        if building.get(key):
            raise InputError(f"{place}.{key}: found {words}, expected none (not modelled)")
    for device, kind in (("electrical_storage", BATTERY), ("pv", "citylearn.energy_model.PV")):
        settings = building.get(device)
        if settings is not None:
            _check_type(settings, (kind,), f"{place}.{device}")
            if flag(settings.get("autosize"), False, f"{place}.{device}.autosize"):
                raise InputError(
                    f"{place}.{device}.autosize: found true, expected false (a random size from data online)"
                )
    outage = building.get("power_outage") or {}
    if outage.get("simulate_power_outage") and outage.get("stochastic_power_outage"):
        raise InputError(
            f"{place}.power_outage: found a stochastic model, expected the power_outage column (not modelled)"
        )


def _check_type(settings: Schema, known: tuple[str, ...], place: str, default: str | None = None) -> None:
    kind = settings.get("type") or default
    if kind not in known:
        raise InputError(f"{place}.type: found {kind}, expected {known[0]} (no other is modelled)")


def _check_noise(settings: Schema, place: str) -> None:
    if settings.get("noise_std"):
        raise InputError(
            f"{place}.noise_std: found {settings['noise_std']}, expected 0 (CityLearn's noise has no seed)"
        )


def _thermal(schema: Schema, building: Schema, thermal: str, place: str) -> Iterator[str]:
    """Refuse thermal storage that an action moves; without one, and without demand, devices do nothing."""
    storage, device = f"{thermal}_storage", f"{thermal}_device"
    moved = [action for action in (storage, device) if building.get(action) and active(schema, building, action)]
    if moved:
        raise InputError(f"{place}.{moved[0]}: found it with an active action, expected none (no heat and cold here)")
    present = [key for key in (storage, device) if building.get(key)]
    if present:
        yield f"{place}: {' and '.join(present)} left out: no demand and no action moves it"


def _appliances(building: Schema, place: str, drop: bool) -> Iterator[str]:
    for key in ("washing_machine", "washing_machines", "deferrable_appliances"):
        names = [key] if key == "washing_machine" and building.get(key) else list(building.get(key) or {})
        if names and not drop:
            raise InputError(
                f"{place}.{key}: found {', '.join(names)}, expected none (drop_washing_machines leaves it out)"
            )
        if names:
            yield f"{place}.{key}: {', '.join(names)} dropped as asked; the consumption is missing from the load"


def idle_actions(schema: Schema, where: str) -> list[str]:
    """Active actions that nothing in the data set follows."""
    known: dict[str, Any] = schema.get("actions") or {}
    names = [name for name in known if name not in _ACTIONS and flag(known[name].get("active"), False, name)]
    return [f"{where}, actions: {', '.join(names)} left out: there is nothing to move"] if names else []

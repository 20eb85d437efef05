"""What CityLearn shows a central agent of a data set, in its order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np
import torch
from tensordict import TensorDict

from litgrid.scenarios.citylearn_columns import Tables, column
from litgrid.scenarios.citylearn_folder import Schema, flag, parts
from litgrid.scenarios.district import Building, Charger, Observed

CHARGER_NAMES = {
    f"{before}{after}": f"{before}_{{}}{after}"
    for before, after in (
        ("electric_vehicle_charger", "_connected_state"),
        ("connected_electric_vehicle_at_charger", "_departure_time"),
        ("connected_electric_vehicle_at_charger", "_required_soc_departure"),
        ("connected_electric_vehicle_at_charger", "_soc"),
        ("connected_electric_vehicle_at_charger", "_battery_capacity"),
        ("electric_vehicle_charger", "_incoming_state"),
        ("incoming_electric_vehicle_at_charger", "_estimated_arrival_time"),
        ("incoming_electric_vehicle_at_charger", "_estimated_soc_arrival"),
    )
}
"""Name in the schema -> name of each charger's observation, in the order in which CityLearn shows them."""
VIOLATION = "charging_constraint_violation_kwh"
_HEADROOM, _EXPORT = "charging_building_headroom_kw", "charging_building_export_headroom_kw"
_PHASE_HEADROOM, _PHASE_EXPORT = "charging_phase_{}_headroom_kw", "charging_phase_{}_export_headroom_kw"
_CLOCK = ("minutes", "seconds")  # not shown where the building's file has none
_APPLIANCES = ("deferrable_appliance_", "escalator_")
Shown = dict[str, float | None]
"""Names in their order, with the value of what never changes."""


class Headroom(NamedTuple):
    """A building's limit of which CityLearn shows what is left."""

    name: str
    limit_kw: float
    export: bool
    phase: int | None
    """None for the whole building."""


def headrooms(building: Building) -> list[Headroom]:
    """The limits of a building of which CityLearn can show what is left, in its order."""
    grid, charging = building.service, building.limits
    if grid is not None:
        imports = _limited(grid.import_kw, zip(grid.phases, grid.phase_import_kw, strict=True), False)
        return [*imports, *_limited(grid.export_kw, zip(grid.phases, grid.phase_export_kw, strict=True), True)]
    if charging is None:
        return []
    return list(_limited(charging.building_kw, ((group.name, group.limit_kw) for group in charging.phases), False))


def _limited(whole_kw: float, phases_kw: Iterable[tuple[str, float]], export: bool) -> Iterator[Headroom]:
    whole, phase = (_EXPORT, _PHASE_EXPORT) if export else (_HEADROOM, _PHASE_HEADROOM)
    if isfinite(whole_kw):
        yield Headroom(whole, whole_kw, export, None)
    for number, (name, limit_kw) in enumerate(phases_kw):
        if isfinite(limit_kw):
            yield Headroom(phase.format(name), limit_kw, export, number)


def observed(
    tables: Tables,
    settings: Sequence[Schema],
    buildings: Sequence[Building],
    chargers: Sequence[Charger],
    series: TensorDict,
) -> Observed:
    """What the schema makes observable.

    Args:
        tables: of the data set.
        settings: schemas of the buildings.
        buildings: as they were read.
        chargers: likewise.
        series: of the district, [T, M].

    Returns:
        The names that CityLearn shows, and the values of those that no action changes.
    """
    schema, shown = tables.schema, []
    for number, (one, building) in enumerate(zip(settings, buildings, strict=True)):
        own = {index: charger for index, charger in enumerate(chargers) if charger.building == number}
        limits = _of_limits(one, building, own)
        shown.append(_of_series(one, tables) | limits | _of_chargers(one, list(own.values()), schema))
    entries = list(_central(shown, schema))
    values = [
        column(name, settings[home], series[:, home], tables) if constant is None else np.full(len(series), constant)
        for home, name, constant in entries
    ]
    files = [each for each in values if each is not None]
    place = iter(range(len(files)))
    return Observed(
        names=tuple(name for _, name, _ in entries),
        buildings=tuple(home for home, _, _ in entries),
        columns=tuple(None if each is None else next(place) for each in values),
        files=torch.from_numpy(np.stack(files, axis=1) if files else np.zeros((len(series), 0))),
    )


def _central(shown: Sequence[Shown], schema: Schema) -> Iterator[tuple[int, str, float | None]]:
    """Building, name and constant of what a central agent sees: what buildings share, once."""
    shared = {
        name
        for name, settings in parts(schema, "observations")
        if flag(settings.get("shared_in_central_agent"), False, f"observations.{name}.shared_in_central_agent")
    }
    seen: set[str] = set()
    for home, names in enumerate(shown):
        for name, constant in names.items():
            if name not in shared or name not in seen:
                yield home, name, constant
            seen.add(name)


def _active(building: Schema, schema: Schema) -> list[str]:
    hidden = building.get("inactive_observations") or []
    return [
        name
        for name, settings in parts(schema, "observations")
        if flag(settings.get("active"), False, f"observations.{name}.active") and name not in hidden
    ]


def _of_series(building: Schema, tables: Tables) -> Shown:
    """What is neither a limit's nor a charger's."""
    table = tables(building, "energy_simulation")
    absent = [name for name in _CLOCK if table is None or name not in table]
    names = [name for name in _active(building, tables.schema) if name not in absent]
    return dict.fromkeys(name for name in names if "electric_vehicle_" not in name and not name.startswith(_APPLIANCES))


def _of_chargers(building: Schema, chargers: Sequence[Charger], schema: Schema) -> Shown:
    active = _active(building, schema)
    patterns = [pattern for name, pattern in CHARGER_NAMES.items() if name in active]
    return dict.fromkeys(pattern.format(charger.name) for charger in chargers for pattern in patterns)


def _of_limits(settings: Schema, building: Building, chargers: Mapping[int, Charger]) -> Shown:
    """What CityLearn adds where a building has limits: each charger's phase, what is left, by how much exceeded."""
    config = settings.get("electrical_service") or settings.get("charging_constraints")
    if not config:
        return {}
    choice = config.get("observations") or {}

    def chosen(name: str, default: bool) -> bool:
        return flag(choice.get(name), default, f"observations.{name}")

    found = _of_phases(building, chargers) if chosen("phase_encoding", False) else {}
    left = "headroom" not in choice and flag(config.get("expose_observations"), True, "expose_observations")
    if chosen("headroom", left):
        exports = chosen("headroom_export", building.service is not None)
        found |= dict.fromkeys(each.name for each in headrooms(building) if exports or not each.export)
    return found | (dict.fromkeys([VIOLATION]) if chosen("violation", True) else {})


def _of_phases(building: Building, chargers: Mapping[int, Charger]) -> Shown:
    """1 for the phase of each charger, else 0; where chargers are in several groups, the last counts."""
    if building.service is not None:
        names = {*building.service.phases}
        phase = {index: charger.phase or "" for index, charger in chargers.items()}
    else:
        groups = building.limits.phases if building.limits is not None else ()
        names = {group.name for group in groups}
        phase = {index: group.name for group in groups for index in group.chargers}
    if not names:
        return {}
    rest = [] if all(index in phase for index in chargers) else ["unassigned"]
    return {
        f"charging_phase_one_hot_{charger.name}_{name}": float(phase.get(index, "unassigned") == name)
        for index, charger in chargers.items()
        for name in [*sorted(names | set(phase.values())), *rest]
    }

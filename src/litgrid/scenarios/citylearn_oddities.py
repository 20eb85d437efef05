"""What CityLearn 3.0.2 does that hardly anyone expects: one line each, where a data set meets it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from litgrid.scenarios.citylearn_folder import Schema
from litgrid.scenarios.district import Building, District

Array = NDArray[Any]


def oddities(district: District, schema: Schema, where: str) -> list[str]:
    """Oddities that a district meets, beyond those seen while its files were read.

    Args:
        district: as it was read.
        schema: of the data set.
        where: the schema's path.

    Returns:
        Lines to be shown as warnings.
    """
    lines = [*_run(district, schema, where), *_limits(district)]
    return [*lines, *_arrivals(district), *_powers(district)] if district.chargers else lines


def _run(district: District, schema: Schema, where: str) -> Iterator[str]:
    yield (
        f"row {district.rows - 1}: the last one is read, but never simulated; CityLearn's year of {district.rows} rows "
        f"has {district.steps} steps and ends as terminated, not truncated"
    )
    if district.random_seed is None:
        yield f"{where}: no random_seed; CityLearn draws one, so that its runs differ where vehicles are away"
    if schema.get("episode_time_steps") is not None:
        yield f"{where}, episode_time_steps: in CityLearn every reset moves on to the next window"
    outage = district.series["outage"].sum(dim=0)
    for building, rows in zip(district.buildings, outage.tolist(), strict=True):
        if rows:
            yield f"building {building.name}: {rows} rows of power outage; net consumption and cost are 0 there"
    for building in district.buildings:
        curve = building.battery.capacity_power_curve[0] if building.battery else (0.0, 1.0)
        if curve[0] > 0 or curve[-1] < 1:
            yield f"building {building.name}: capacity_power_curve covers {curve[0]:g} to {curve[-1]:g}; extrapolated"


def _limits(district: District) -> Iterator[str]:
    for number, building in enumerate(district.buildings):
        if _limited(building) and any(charger.building == number for charger in district.chargers):
            yield (
                f"building {building.name}: limits count what is asked of chargers without a vehicle, too, and scale "
                "the others down for it"
            )


def _limited(building: Building) -> bool:
    limits, service = building.limits, building.service
    if service is not None:
        values = (service.import_kw, service.export_kw, *service.phase_import_kw, *service.phase_export_kw)
        return any(isfinite(value) for value in values)
    return limits is not None and any(isfinite(v) for v in (limits.building_kw, *(p.limit_kw for p in limits.phases)))


def _arrivals(district: District) -> Iterator[str]:
    rows = {key: value.numpy() for key, value in district.connections.items()}
    vehicle, new, soc = rows["vehicle"], rows["new"], rows["new_soc"]
    lowest = np.array([1.0 - each.storage.depth_of_discharge for each in district.vehicles] or [0.0])
    below = new & (soc >= 0) & (soc < lowest.astype(np.float32)[vehicle])
    if below.any():
        row, charger = np.argwhere(below)[0]
        yield (
            f"charger {district.chargers[charger].name}, row {row}: the vehicle arrives with SOC "
            f"{soc[row, charger]:.3g}, below {lowest[vehicle[row, charger]]:.3g} (1 - depth of discharge), and is "
            f"lifted to it for nothing ({int(below.sum())} arrivals)"
        )
    late = new & (soc < 0) & (rows["arrival_soc"] >= 0)  # set in the row before, where the charger was free
    late[:2] = False
    without = new & (soc < 0) & ~late
    if without.any():
        row, charger = np.argwhere(without)[0]
        yield (
            f"charger {district.chargers[charger].name}, row {row}: the vehicle arrives without a SOC and keeps its "
            f"own, which drifts at random in CityLearn and stays in LitGrid ({int(without.sum())} arrivals)"
        )
    for charger in np.flatnonzero(rows["state"][0] == 2):
        yield f"charger {district.chargers[charger].name}, row 0: state 2; CityLearn will show the initial SOC in row 1"
    yield from _jumps(district, rows)
    yield from _countdown(vehicle, new, rows["departure_time"])


def _jumps(district: District, rows: dict[str, Array]) -> Iterator[str]:
    """Vehicles that go on to a charger listed earlier without a row in between, with a SOC in the data."""
    vehicle, arrival = rows["vehicle"], rows["arrival_soc"]
    found = []
    comes = np.zeros(vehicle.shape, dtype=bool)
    comes[1:-1] = (vehicle[2:] >= 0) & (vehicle[1:-1] < 0)
    for row, charger in np.argwhere(comes):
        number = vehicle[row + 1, charger]
        soc = arrival[row if rows["incoming"][row, charger] == number else row + 1, charger]
        if soc >= 0 and (vehicle[row, charger + 1 :] == number).any():
            found.append(f"row {row}, vehicle {district.vehicles[number].name}")
    if found:
        yield (
            f"{found[0]}: goes on to another charger at once; CityLearn gives it the SOC of that arrival one step "
            f"early, while it is still charged here ({len(found)} times)"
        )


def _countdown(vehicle: Array, new: Array, left: Array) -> Iterator[str]:
    """Whether the countdowns reach 0 while the vehicle is there, as one of CityLearn's rewards wants them to."""
    last = vehicle[:-1] >= 0
    last &= (vehicle[1:] != vehicle[:-1]) | new[1:]
    if last.any() and (left[:-1][last] >= 1).all():
        yield (
            "departure times end at 1, not at 0: the SOC at departure never counts in CityLearn's "
            "Electric_Vehicles_Reward_Function"
        )


def _powers(district: District) -> Iterator[str]:
    vehicle = district.connections["vehicle"].numpy()
    for number, charger in enumerate(district.chargers):
        weaker = [
            district.vehicles[each]
            for each in np.unique(vehicle[:, number])
            if each >= 0 and district.vehicles[each].storage.power_kw < charger.max_charging_kw
        ]
        if weaker:
            power = min(each.storage.power_kw for each in weaker)
            yield (
                f"charger {charger.name}: {charger.max_charging_kw:g} kW, but {len(weaker)} of its vehicles take "
                f"{power:g} kW or so: their battery limits"
            )

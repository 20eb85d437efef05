"""A district of buildings as the simulator needs it: every number resolved, every file read."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from tensordict import TensorDict
from torch import Tensor

Curve = tuple[tuple[float, ...], tuple[float, ...]]
"""x points (rising) and the y of each, linear in between."""


@dataclass(frozen=True)
class Storage:
    """A battery as CityLearn's ``Battery`` has it, with nothing left to be drawn.

    Attributes:
        capacity_kwh: nominal capacity; a SOC is a share of it.
        power_kw: nominal power, of both directions.
        depth_of_discharge: usable share of the capacity; the SOC stays above 1 less this.
        initial_soc: at the start of an episode, not below 1 - depth_of_discharge.
        loss_coefficient: share of the stored energy lost per hour of standing by.
        capacity_loss_coefficient: share of the capacity lost with a full cycle.
        power_efficiency_curve: round-trip efficiency over the share of the nominal power; the root is for one way.
        capacity_power_curve: available share of the nominal power over the SOC.
    """

    capacity_kwh: float
    power_kw: float
    depth_of_discharge: float
    initial_soc: float
    loss_coefficient: float
    capacity_loss_coefficient: float
    power_efficiency_curve: Curve
    capacity_power_curve: Curve


@dataclass(frozen=True)
class Charger:
    """A charger, between its building and the battery of the vehicle that is connected.

    Attributes:
        name: unique in its building.
        building: index of the building.
        max_charging_kw: at action 1.
        min_charging_kw: below it nothing flows.
        max_discharging_kw: at action -1; 0 without vehicle-to-grid.
        min_discharging_kw: below it nothing flows.
        charge_efficiency: over the share of the maximum power, clamped beyond its ends; a constant has two points.
        discharge_efficiency: likewise.
        phase: "L1", "L2", "L3" or "all_phases" of the building's service; None where the building has none.
        active: whether an action moves it; a charger that isn't active holds its vehicle and does nothing.
    """

    name: str
    building: int
    max_charging_kw: float
    min_charging_kw: float
    max_discharging_kw: float
    min_discharging_kw: float
    charge_efficiency: Curve
    discharge_efficiency: Curve
    phase: str | None = None
    active: bool = True


@dataclass(frozen=True)
class Vehicle:
    """An electric vehicle of the district."""

    name: str
    storage: Storage


@dataclass(frozen=True)
class PhaseLimit:
    """Limit to the charging power that a group of chargers asks for, in kW; ``chargers`` are the district's indices."""

    name: str
    limit_kw: float
    chargers: tuple[int, ...]


@dataclass(frozen=True)
class ChargingLimits:
    """CityLearn's ``charging_constraints``: first the building's limit, then each phase's in their order.

    Requests to charge are scaled down in proportion, whether or not a vehicle is connected.
    """

    building_kw: float = inf
    phases: tuple[PhaseLimit, ...] = ()


@dataclass(frozen=True)
class Service:
    """CityLearn's ``electrical_service``: limits to what the building takes and gives, in kW, inf for none.

    Attributes:
        phases: ("L1",) or ("L1", "L2", "L3").
        import_kw: of the whole building.
        export_kw: of the whole building.
        phase_import_kw: one for each phase.
        phase_export_kw: one for each phase.
        base_shares: share of load and PV on each phase.
        battery_shares: share of the battery's power on each phase.
    """

    phases: tuple[str, ...]
    import_kw: float
    export_kw: float
    phase_import_kw: tuple[float, ...]
    phase_export_kw: tuple[float, ...]
    base_shares: tuple[float, ...]
    battery_shares: tuple[float, ...]

    def shares(self, phase: str | None) -> tuple[float, ...]:
        """Share of each phase in the power of what is connected to ``phase``."""
        return phase_shares(self.phases, phase)


def phase_shares(phases: tuple[str, ...], phase: str | None) -> tuple[float, ...]:
    """Share of each phase in the power of what is connected to ``phase``, one of them or "all_phases"."""
    if len(phases) == 1 or phase == "all_phases":
        return (1 / len(phases),) * len(phases)
    return tuple(float(name == phase) for name in phases)


@dataclass(frozen=True)
class Building:
    """A building; its load and PV are columns of the district's series.

    Attributes:
        name: unique.
        battery: None where there is no capacity.
        battery_active: whether an action moves it; one that isn't active stands by and loses.
        limits: of its chargers; not together with a service, which comes first in CityLearn.
        service: limits of its connection to the grid.
    """

    name: str
    battery: Storage | None = None
    battery_active: bool = True
    limits: ChargingLimits | None = None
    service: Service | None = None


@dataclass(frozen=True, eq=False)
class Observed:
    """What CityLearn shows a central agent of a data set, F values in its order.

    Attributes:
        names: [F] CityLearn's; a name that buildings don't share occurs once for each of them.
        buildings: [F] index of the building that shows the value.
        columns: [F] its column in ``files``; None for what a step or a connection decides, and for what is not part of
            an electrical district.
        files: [T, X] float64, values that no action changes; CityLearn's float32, exactly, NaN for a blank.
    """

    names: tuple[str, ...]
    buildings: tuple[int, ...]
    columns: tuple[int | None, ...]
    files: Tensor


@dataclass(frozen=True, eq=False)
class District:
    """Buildings, their chargers, the vehicles that move between them, and what is given for every row.

    Attributes:
        name: of the data set.
        step_seconds: length of a row.
        random_seed: of the data set; None where it has none.
        buildings: M of them.
        chargers: N of them, grouped by building, in the order of CityLearn's actions.
        vehicles: E of them.
        series: [T, M], float64: ``load_kwh``, ``pv_kwh`` (both >= 0 as a rule), ``price_per_kwh``,
            ``carbon_kg_per_kwh``; bool: ``outage``. Values are CityLearn's float32, exactly.
        connections: [T, N]; ``vehicle`` (int16, index, -1 where the charger is free), ``incoming`` (int16, likewise),
            ``new`` (bool: a connection begins); float64 SOCs that are forced upon a vehicle when it connects, -1
            for none: ``new_soc`` in the course of an episode, ``first_soc`` in its stead where
            an episode begins with this row (the initial SOC if it is -1); and what CityLearn shows: ``state``
            (int8), ``required_soc``, ``departure_time``, ``arrival_time``, ``arrival_soc`` (float64; -0.1 for no
            SOC, -1 for no time).
        calendar: [T], int64, of the first building: ``month`` (1 to 12), ``hour`` (0 to 23 or 1 to 24, as in the
            file), ``minute`` (0 where the file has none), ``day_type`` (1 Monday to 7 Sunday, 8 for special days).
        observed: CityLearn's observations.
    """

    name: str
    step_seconds: int
    random_seed: int | None
    buildings: tuple[Building, ...]
    chargers: tuple[Charger, ...]
    vehicles: tuple[Vehicle, ...]
    series: TensorDict
    connections: TensorDict
    calendar: TensorDict
    observed: Observed

    @property
    def rows(self) -> int:
        """T, rows that were read."""
        return int(self.series.batch_size[0])

    @property
    def steps(self) -> int:
        """Steps of an episode over all rows: one less, since CityLearn never simulates the last row."""
        return self.rows - 1


def figures(district: District) -> dict[str, str | int | float]:
    """What is in a district, as ``dataset import`` reports it; energies are of the simulated rows.

    Args:
        district: as it was read.

    Returns:
        Counts, kWh, and ``arrivals``, the connections that begin.
    """
    simulated = district.series[: district.steps]
    return {
        "name": district.name,
        "buildings": len(district.buildings),
        "batteries": sum(building.battery is not None for building in district.buildings),
        "battery_kwh": float(sum(building.battery.capacity_kwh for building in district.buildings if building.battery)),
        "chargers": len(district.chargers),
        "vehicles": len(district.vehicles),
        "arrivals": int(district.connections["new"][: district.steps].sum()),
        "rows": district.rows,
        "step_seconds": district.step_seconds,
        "load_kwh": float(simulated["load_kwh"].sum()),
        "pv_kwh": float(simulated["pv_kwh"].sum()),
    }

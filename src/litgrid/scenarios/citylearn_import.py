"""Read a CityLearn 3.0.2 data set of v2 or v3 layout as CityLearn itself would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_columns import Tables, calendar
from litgrid.scenarios.citylearn_connections import connections
from litgrid.scenarios.citylearn_folder import (
    Schema,
    check_files,
    data_folder,
    included,
    included_buildings,
    parts,
    read_schema,
    read_table,
    window,
)
from litgrid.scenarios.citylearn_limits import charging_limits, phase, service
from litgrid.scenarios.citylearn_observed import observed
from litgrid.scenarios.citylearn_oddities import oddities
from litgrid.scenarios.citylearn_scope import BUILDING, active, check_demand, check_scope, idle_actions
from litgrid.scenarios.citylearn_storage import BATTERY, NAMES, Attributes, device_seed, resolve, vehicle_initial_soc
from litgrid.scenarios.district import Building, Charger, Curve, District, Storage, Vehicle

_ABSOLUTE = ("absolute", "absolute_kwh", "kwh", "kwh_step", "energy")
_PER_KW = ("per_kw", "profile", "w_per_kw")
_DEFAULT_KW = 50.0  # of a charger, by CityLearn
Floats = NDArray[np.float64]


def read_district(folder: Path, drop_washing_machines: bool = False) -> tuple[District, list[str]]:
    """Read a data set: schema.json and its CSV files.

    Args:
        folder: holds ``schema.json``.
        drop_washing_machines: leave washing machines and deferrable appliances out, with a warning, instead of
            refusing the data set.

    Returns:
        The district, and one line for each of CityLearn's oddities that the data meets.

    Raises:
        InputError: in one line: a file can't be read, or the data set needs what isn't modelled.
    """
    schema = read_schema(folder)
    try:
        return _Reader(folder, schema).read(drop_washing_machines)
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / 'schema.json'}: found a key of another form than CityLearn's ({error!r})"
        ) from error


class _Reader:
    """One data set on its way to a district; ``odd`` collects the warnings."""

    def __init__(self, folder: Path, schema: Schema) -> None:
        self.schema = schema
        self.folder, self.files = folder, data_folder(folder, schema)
        self.where = str(folder / "schema.json")
        seed = schema.get("random_seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise InputError(f"{self.where}, random_seed: found {seed!r}, expected a whole number of at least 0")
        self.seed: int | None = seed
        self.seconds = schema.get("seconds_per_time_step", 3600)
        self.included = included_buildings(schema)
        self.odd: list[str] = []

    def read(self, drop_washing_machines: bool) -> tuple[District, list[str]]:
        schema, rows = self.schema, window(self.schema)[1]
        self.odd += check_scope(schema, self.where, drop_washing_machines)
        self.odd += check_files(self.folder, schema)
        self.odd += idle_actions(schema, self.where)
        if not self.included:
            raise InputError(f"{self.where}, buildings: found none that is included, expected one or more")
        chargers, vehicles = self._chargers(), self._vehicles()
        buildings = [self._building(number, *item, chargers) for number, item in enumerate(self.included.items())]
        columns = [self._series(name, building) for name, building in self.included.items()]
        values = {key: torch.from_numpy(np.stack([column[key] for column in columns], axis=1)) for key in columns[0]}
        series = TensorDict(values, batch_size=(rows, len(buildings)))
        settings = list(self.included.values())
        district = District(
            name=self.folder.resolve().name,
            step_seconds=int(self.seconds),
            random_seed=self.seed,
            buildings=tuple(buildings),
            chargers=tuple(chargers),
            vehicles=tuple(vehicles),
            series=series,
            connections=connections(self._tables(), chargers, vehicles, rows, self.where),
            calendar=calendar(read_table(self.files / settings[0]["energy_simulation"], schema)),
            observed=observed(Tables(schema, self.files), settings, buildings, chargers, series),
        )
        return district, [*self.odd, *oddities(district, schema, self.where)]

    def _chargers(self) -> list[Charger]:
        return [
            self._charger(name, settings, number, building, owner)
            for number, (owner, building) in enumerate(self.included.items())
            for name, settings in parts(building, "chargers")
        ]

    def _vehicles(self) -> list[Vehicle]:
        vehicles = parts(self.schema, "electric_vehicles_def")
        return [self._vehicle(name, settings) for name, settings in vehicles if included(settings)]

    def _tables(self) -> list[pd.DataFrame]:
        """Tables of the chargers, in their order."""
        return [
            read_table(self.files / settings["charger_simulation"], self.schema)
            for building in self.included.values()
            for _, settings in parts(building, "chargers")
        ]

    def _attributes(self, place: str, settings: Schema, seed: int | None) -> Attributes:
        values = settings.get("attributes") or {}
        return Attributes(f"{self.where}, {place}", values, seed)

    def _building(self, number: int, name: str, building: Schema, chargers: list[Charger]) -> Building:
        place = f"{self.where}, buildings.{name}"
        own = {charger.name: index for index, charger in enumerate(chargers) if charger.building == number}
        limits, odd = charging_limits(building, own, place)
        self.odd += odd
        battery = self._battery(name, building)
        moved = active(self.schema, building, "electrical_storage")
        if moved and (battery is None or battery.power_kw == 0):
            raise InputError(
                f"{place}.electrical_storage: found no capacity or power, expected some, or electrical_storage among "
                "inactive_actions (CityLearn demands it)"
            )
        if battery is not None and not moved:
            self.odd.append(f"{place}.electrical_storage: no action moves it")
        return Building(name, battery, moved, limits, service(building, place))

    def _battery(self, name: str, building: Schema) -> Storage | None:
        settings = building.get("electrical_storage")
        if not settings:
            return None
        kind = building.get("type") or BUILDING
        seed = (settings.get("attributes") or {}).get("random_seed")
        if seed is None:
            seed = device_seed(name, kind, "electrical_storage", settings.get("type") or BATTERY, self.seed)
        attributes = self._attributes(f"buildings.{name}.electrical_storage", settings, seed)
        storage = resolve(attributes)
        self._note_drawn(attributes)
        return storage if storage.capacity_kwh > 0 else None

    def _note_drawn(self, attributes: Attributes) -> None:
        if attributes.drawn:
            names = ", ".join(attributes.drawn)
            self.odd.append(f"{attributes.where}: {names} not given; drawn with CityLearn's seed {attributes.seed}")

    def _vehicle(self, name: str, settings: Schema) -> Vehicle:
        battery = settings["battery"]
        given = {key: value for key, value in (battery.get("attributes") or {}).items() if key in NAMES}
        for key in ("capacity", "nominal_power"):
            if given.get(key) is None:
                raise InputError(f"{self.where}, electric_vehicles_def.{name}.battery: found no {key}, expected one")
        for key, default in (("loss_coefficient", 0.0), ("depth_of_discharge", 1.0)):
            given[key] = default if given.get(key) is None else given[key]
        place = f"electric_vehicles_def.{name}.battery"
        attributes = self._attributes(place, {"attributes": given}, self.seed)
        if given.get("initial_soc") is None:
            attributes.draw("initial_soc", 0.0, 1.0)  # of another seed: the value is below
            given["initial_soc"] = vehicle_initial_soc(name, self.seed or 0)
        storage = resolve(attributes)
        self._note_drawn(attributes)
        return Vehicle(name, storage)

    def _charger(self, name: str, settings: Schema, number: int, building: Schema, owner: str) -> Charger:
        attributes = self._attributes(f"buildings.{owner}.chargers.{name}", settings, None)
        for key in ("max_charging_power", "max_discharging_power"):
            if attributes.values.get(key) is None:
                self.odd.append(f"{attributes.where}: {key} not given; CityLearn's default is {_DEFAULT_KW:g} kW")
        constant = attributes.number("efficiency", 1.0, 1.0, 1e-6) or 1.0
        grid = service(building, f"{self.where}, buildings.{owner}")
        return Charger(
            name=name,
            building=number,
            max_charging_kw=_number(attributes, "max_charging_power", _DEFAULT_KW),
            min_charging_kw=_number(attributes, "min_charging_power", 0.0),
            max_discharging_kw=_number(attributes, "max_discharging_power", _DEFAULT_KW),
            min_discharging_kw=_number(attributes, "min_discharging_power", 0.0),
            charge_efficiency=_efficiency(attributes, "charge_efficiency_curve", constant),
            discharge_efficiency=_efficiency(attributes, "discharge_efficiency_curve", constant),
            phase=phase(attributes.values.get("phase_connection"), grid.phases, attributes.where) if grid else None,
            active=active(self.schema, building, "electric_vehicle_storage"),
        )

    def _series(self, name: str, building: Schema) -> dict[str, NDArray[Any]]:
        """Columns of a building, rounded as CityLearn rounds them."""
        path = self.files / building["energy_simulation"]
        table = read_table(path, self.schema)
        check_demand(table, str(path))
        self._check_interval(table, path)
        if (table["non_shiftable_load"] < 0).any():
            raise InputError(f"{path}, column non_shiftable_load: found a value below 0, expected consumption")
        outage = bool((building.get("power_outage") or {}).get("simulate_power_outage"))
        signal = table.get("power_outage", pd.Series(np.zeros(len(table))))
        return {
            "load_kwh": _single(table["non_shiftable_load"]),
            "pv_kwh": self._pv(name, building, table["solar_generation"].to_numpy(dtype=np.float32)),
            "price_per_kwh": self._shared(name, building, "pricing", "electricity_pricing", len(table)),
            "carbon_kg_per_kwh": self._shared(name, building, "carbon_intensity", "carbon_intensity", len(table)),
            "outage": signal.to_numpy(dtype=np.float32).astype(bool) & outage,
        }

    def _shared(self, name: str, building: Schema, kind: str, column: str, rows: int) -> Floats:
        if building.get(kind) is None:
            self.odd.append(f"{self.where}, buildings.{name}: {kind} not given; CityLearn takes 0")
            return np.zeros(rows)
        return _single(read_table(self.files / building[kind], self.schema)[column])

    def _pv(self, name: str, building: Schema, generation: NDArray[np.float32]) -> Floats:
        """PV in kWh a step: W per kW of nominal power, or absolute."""
        settings = building.get("pv") or {}
        attributes = self._attributes(f"buildings.{name}.pv", settings, self.seed)
        power = attributes.number("nominal_power", 0.0) or 0.0
        mode = str(attributes.values.get("generation_mode") or "per_kw").strip().lower().replace("-", "_")
        if mode not in (*_ABSOLUTE, *_PER_KW):
            raise InputError(f"{attributes.where}.generation_mode: found {mode}, expected per_kw or absolute")
        if mode in _ABSOLUTE:
            return generation.astype(np.float64)
        if not power and generation.any():
            self.odd.append(f"{attributes.where}: no nominal power, so its solar_generation is not used")
        energy: Floats = (power * generation / 1000.0 * (self.seconds / 3600)).astype(np.float32).astype(np.float64)
        return energy

    def _check_interval(self, table: pd.DataFrame, path: Path) -> None:
        """Refuse rows at another interval than a step's: CityLearn rescales energies instead of resampling."""
        hour, zero = table["hour"].to_numpy(dtype=np.int64), np.zeros(len(table), dtype=np.int64)
        minutes, seconds = (
            table[key].to_numpy(dtype=np.int64) if key in table else zero for key in ("minutes", "seconds")
        )
        time = hour * 3600 + minutes * 60 + (seconds if "minutes" in table else zero)
        interval = int(time[1] - time[0]) % 86400
        if interval not in (0, self.seconds):
            raise InputError(f"{path}: found rows of {interval} s, expected {self.seconds} s (seconds_per_time_step)")


def _single(column: pd.Series[Any]) -> Floats:
    """Values in float32, as CityLearn keeps them."""
    values: Floats = column.to_numpy(dtype=np.float32).astype(np.float64)
    return values


def _number(attributes: Attributes, name: str, default: float) -> float:
    value = attributes.number(name, default)
    return default if value is None else value


def _efficiency(attributes: Attributes, name: str, constant: float) -> Curve:
    curve = attributes.curve(name, points=1, y_low=1e-6) or ((0.0, 1.0), (constant, constant))
    return curve if len(curve[0]) > 1 else ((0.0, 1.0), curve[1] * 2)

"""The site: what stands there, as a typed configuration that is checked when it is read.

Every quantity carries its unit in its name. The classes are plain frozen dataclasses, so that the same definition
serves YAML files, command-line options (``--data.site.battery.capacity_kwh 800``) and Python.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from jsonargparse import ArgumentError, ArgumentParser
from jsonargparse.typing import Path_fr

from litgrid.errors import InputError, MissingFile
from litgrid.errors import require as _require
from litgrid.site.bases import bases
from litgrid.site.explain import NO_FILE, explain
from litgrid.site.rules import Rules
from litgrid.site.table import read_columns

HOURS_PER_DAY = 24
DAYS_PER_YEAR = 365  # generated years have no 29 February
MAX_CARBON_KG_PER_KWH = 3.0  # burning lignite in an old plant stays below 1.5
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Part = TypeVar("Part")


def _require_range(key: str, found: tuple[float, float], low: float, high: float) -> None:
    _require(low <= found[0] <= found[1] <= high, key, list(found), f"[low, high] with {low} <= low <= high <= {high}")


def _require_window(key: str, from_hour: float, to_hour: float) -> None:
    hours = f"{from_hour} to {to_hour}"
    _require(0 <= from_hour < to_hour <= HOURS_PER_DAY, key, hours, "hours with 0 <= from < to <= 24")


@dataclass(frozen=True)
class Location:
    """Where the site stands.

    Args:
        latitude_deg: degrees north, negative in the south.
        longitude_deg: degrees east, negative in the west.
        altitude_m: metres above sea level.
        timezone: IANA name; the site's clock is that zone's standard time, without daylight saving.
    """

    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    timezone: str

    def __post_init__(self) -> None:
        _require(-90 <= self.latitude_deg <= 90, "location.latitude_deg", self.latitude_deg, "-90 to 90")
        _require(-180 <= self.longitude_deg <= 180, "location.longitude_deg", self.longitude_deg, "-180 to 180")
        _require(-500 <= self.altitude_m <= 9000, "location.altitude_m", self.altitude_m, "-500 to 9000")


@dataclass(frozen=True)
class Photovoltaics:
    """The photovoltaic plant.

    Args:
        dc_kwp: nameplate DC power of all modules at standard test conditions.
        ac_kw: AC power of all inverters together; an explicit clip of the site.
        inverters: number of equal inverters; one is modelled and counted this many times.
        tilt_deg: from horizontal.
        azimuth_deg: clockwise from north (0 north, 90 east).
        losses_percent: soiling, shading, mismatch, wiring, ... together, of DC power.
        module: name in pvlib's SandiaMod database; PVWatts parameters where it is absent.
        inverter: name in pvlib's CECInverter database; PVWatts parameters where it is absent.
    """

    dc_kwp: float
    ac_kw: float
    inverters: int = 1
    tilt_deg: float = 10.0
    azimuth_deg: float = 0.0
    losses_percent: float = 13.6
    module: str | None = None
    inverter: str | None = None

    def __post_init__(self) -> None:
        _require(self.dc_kwp >= 0, "pv.dc_kwp", self.dc_kwp, "at least 0 kWp")
        _require(self.ac_kw >= 0, "pv.ac_kw", self.ac_kw, "at least 0 kW")
        _require(self.inverters >= 1, "pv.inverters", self.inverters, "at least 1")
        _require(0 <= self.tilt_deg <= 90, "pv.tilt_deg", self.tilt_deg, "0 to 90")
        _require(0 <= self.azimuth_deg < 360, "pv.azimuth_deg", self.azimuth_deg, "0 to 360")
        _require(0 <= self.losses_percent < 100, "pv.losses_percent", self.losses_percent, "0 to 100")
        both = (self.module is None) == (self.inverter is None)
        _require(both, "pv.module, pv.inverter", [self.module, self.inverter], "both names or neither")


@dataclass(frozen=True)
class Battery:
    """The stationary battery (BESS).

    Args:
        capacity_kwh: nominal energy; SOC is a share of it.
        power_kw: highest charging and discharging power at the site's side.
        depth_of_discharge: usable share; the SOC stays at or above 1 minus this.
        efficiency_one_way: stored / taken when charging, given / drawn when discharging.
        initial_soc: SOC at the start of a year.
    """

    capacity_kwh: float
    power_kw: float
    depth_of_discharge: float = 0.8
    efficiency_one_way: float = 0.95
    initial_soc: float = 0.5

    def __post_init__(self) -> None:
        _require(self.capacity_kwh >= 0, "battery.capacity_kwh", self.capacity_kwh, "at least 0 kWh")
        _require(self.power_kw >= 0, "battery.power_kw", self.power_kw, "at least 0 kW")
        dod, key = self.depth_of_discharge, "battery.depth_of_discharge"
        _require(0 < dod <= 1, key, dod, "above 0 and at most 1 (0.8, not 80)")
        _require(0 < self.efficiency_one_way <= 1, "battery.efficiency_one_way", self.efficiency_one_way, "0 to 1")
        soc, floor = self.initial_soc, self.min_soc
        _require(floor - 1e-9 <= soc <= 1, "battery.initial_soc", soc, f"{floor:g} (1 - depth of discharge) to 1")

    @property
    def min_soc(self) -> float:
        """Lowest SOC, in 0..1."""
        return 1.0 - self.depth_of_discharge


@dataclass(frozen=True)
class SocketGroup:
    """Equal sockets for one type of vehicle.

    Args:
        name: of the vehicle type (moto, mototaxi, ...).
        sockets: how many.
        power_kw: highest charging power of a socket.
        battery_kwh: capacity of a vehicle's battery.
        soc_arrival: lowest and highest SOC at arrival.
        soc_required: lowest and highest SOC that the driver needs at departure.
        efficiency_one_way: stored in the vehicle / taken from the socket.
        v2g: whether the socket can discharge vehicles.
    """

    name: str
    sockets: int
    power_kw: float
    battery_kwh: float
    soc_arrival: tuple[float, float] = (0.20, 0.30)
    soc_required: tuple[float, float] = (0.85, 0.90)
    efficiency_one_way: float = 0.95
    v2g: bool = False

    def __post_init__(self) -> None:
        _require(self.sockets >= 1, f"fleet.groups.{self.name}.sockets", self.sockets, "at least 1")
        _require(self.power_kw > 0, f"fleet.groups.{self.name}.power_kw", self.power_kw, "above 0 kW")
        _require(self.battery_kwh > 0, f"fleet.groups.{self.name}.battery_kwh", self.battery_kwh, "above 0 kWh")
        _require_range(f"fleet.groups.{self.name}.soc_arrival", self.soc_arrival, 0.0, 1.0)
        _require_range(f"fleet.groups.{self.name}.soc_required", self.soc_required, 0.0, 1.0)
        eta = self.efficiency_one_way
        _require(0 < eta <= 1, f"fleet.groups.{self.name}.efficiency_one_way", eta, "above 0 and at most 1")


@dataclass(frozen=True)
class DemandRow:
    """A row of a table of demand scenarios, which then fixes charges and energy a day and the sockets.

    Args:
        table: CSV with the columns escenario, tomas (sockets), cargas_dia (charges a day), energia_dia_kwh.
        scenario: number in the column ``escenario``.

    Attributes:
        sockets: of all groups, from the table.
        charges_per_day: vehicles a day, from the table.
        energy_kwh_per_day: energy that they require a day (stored in their batteries), from the table.
    """

    table: Path_fr
    scenario: int
    sockets: int = field(init=False)
    charges_per_day: float = field(init=False)
    energy_kwh_per_day: float = field(init=False)

    def __post_init__(self) -> None:
        columns = ["escenario", "tomas", "cargas_dia", "energia_dia_kwh"]
        rows = read_columns(Path(self.table), columns, 0.0, 1e6)
        row = rows[rows[:, 0] == self.scenario]
        _require(len(row) == 1, "fleet.demand_row.scenario", self.scenario, f"a number that {self.table} has once")
        _require(bool((row > 0).all()), f"fleet.demand_row ({self.table})", row[0].tolist(), "figures above 0")
        object.__setattr__(self, "sockets", round(row[0, 1]))
        object.__setattr__(self, "charges_per_day", float(row[0, 2]))
        object.__setattr__(self, "energy_kwh_per_day", float(row[0, 3]))


def _share_sockets(groups: list[SocketGroup], sockets: int) -> list[SocketGroup]:
    """Share sockets among groups in proportion to those that they have, by largest remainders."""
    _require(len(groups) >= 1, "fleet.groups", "none", "at least one group to share the demand row's sockets")
    shares = [sockets * group.sockets / sum(g.sockets for g in groups) for group in groups]
    missing = sockets - sum(map(int, shares))
    largest = sorted(range(len(groups)), key=lambda g: int(shares[g]) - shares[g])[:missing]
    return [replace(group, sockets=int(shares[g]) + (g in largest)) for g, group in enumerate(groups)]


@dataclass(frozen=True)
class Fleet:
    """The sockets and the vehicles that come to them.

    Args:
        groups: sockets by vehicle type; socket numbers follow this order.
        open_hour: first hour of the day with vehicles.
        close_hour: hour by which every vehicle has left.
        stay_hours: shortest and longest stay.
        peak_hours: window with more arrivals, [from, to).
        peak_factor: arrival rate in that window over the rate outside.
        energy_kwh_per_day: mean energy that vehicles require a day (stored in their batteries), over the year.
        demand_row: takes charges, energy and sockets from a table of scenarios: ``energy_kwh_per_day`` is then the
            row's, and the row's sockets are shared among the groups in proportion to those configured.
    """

    groups: list[SocketGroup] = field(default_factory=list)
    open_hour: float = 9.0
    close_hour: float = 22.0
    stay_hours: tuple[float, float] = (1.0, 6.0)
    peak_hours: tuple[float, float] = (18.0, 21.0)
    peak_factor: float = 2.0
    energy_kwh_per_day: float = 680.0
    demand_row: DemandRow | None = None

    def __post_init__(self) -> None:
        _require_window("fleet.open_hour, fleet.close_hour", self.open_hour, self.close_hour)
        _require_window("fleet.peak_hours", *self.peak_hours)
        _require(self.stay_hours[0] > 0, "fleet.stay_hours", list(self.stay_hours), "above 0 h")
        _require_range("fleet.stay_hours", self.stay_hours, 0.0, self.close_hour - self.open_hour)
        _require(self.peak_factor > 0, "fleet.peak_factor", self.peak_factor, "above 0")
        _require(self.energy_kwh_per_day >= 0, "fleet.energy_kwh_per_day", self.energy_kwh_per_day, "at least 0")
        if self.demand_row is not None:
            object.__setattr__(self, "groups", _share_sockets(self.groups, self.demand_row.sockets))
            object.__setattr__(self, "energy_kwh_per_day", self.demand_row.energy_kwh_per_day)

    @property
    def sockets(self) -> int:
        """Number of sockets of all groups."""
        return sum(group.sockets for group in self.groups)


@dataclass(frozen=True)
class LoadFile:
    """A measured load in a CSV file. Nothing about it is guessed: unit, interval and stamp have to be stated.

    Args:
        path: the CSV file.
        time_column: header of the time stamps, in local standard time.
        value_column: header of the values.
        unit: of the values: mean power in kW, or energy per interval in kWh.
        interval_minutes: length of an interval.
        stamp: whether a time stamp marks the start or the end of its interval.
        separator: between fields.
        time_format: as in Python's ``strptime``; ISO 8601 where it is absent.
    """

    path: Path_fr
    time_column: str
    value_column: str
    unit: Literal["kW", "kWh"]
    interval_minutes: float
    stamp: Literal["start", "end"]
    separator: str = ","
    time_format: str | None = None


@dataclass(frozen=True)
class Load:
    """The building's load, without vehicles: generated, or resampled from a measured file.

    Args:
        annual_kwh: energy a year of the generated load (and not used with a file).
        peak_kw: typical yearly peak of the generated load (and not used with a file).
        closures_per_year: days a year on which the generated building stays shut.
        file: measured load; years are resampled from its days.
    """

    annual_kwh: float = 3_090_000.0
    peak_kw: float = 700.0
    closures_per_year: float = 3.0
    file: LoadFile | None = None

    def __post_init__(self) -> None:
        _require(self.annual_kwh >= 0, "load.annual_kwh", self.annual_kwh, "at least 0 kWh")
        mean_kw = self.annual_kwh / (DAYS_PER_YEAR * HOURS_PER_DAY)
        _require(self.peak_kw >= mean_kw, "load.peak_kw", self.peak_kw, f"at least the mean of {mean_kw:.1f} kW")
        _require(0 <= self.closures_per_year <= 365, "load.closures_per_year", self.closures_per_year, "0 to 365")


@dataclass(frozen=True)
class WeatherFile:
    """Measured weather. ``csv`` needs the column names, whose units are fixed by their keys here.

    Args:
        path: the file.
        format: csv, or a format that pvlib.iotools reads.
        time_column: (csv) header of the time stamps; local standard time, or with a UTC offset.
        ghi_w_per_m2: (csv) header of global horizontal irradiance.
        dni_w_per_m2: (csv) header of direct normal irradiance.
        dhi_w_per_m2: (csv) header of diffuse horizontal irradiance.
        temp_air_c: (csv) header of air temperature.
        wind_speed_m_per_s: (csv) header of wind speed.
        stamp: (csv) whether values are instantaneous at the time stamp, or means of the interval that starts or
            ends there.
    """

    path: Path_fr
    format: Literal["csv", "epw", "tmy3", "pvgis", "nsrdb"]
    time_column: str = "datetime"
    ghi_w_per_m2: str = "ghi_w_per_m2"
    dni_w_per_m2: str = "dni_w_per_m2"
    dhi_w_per_m2: str = "dhi_w_per_m2"
    temp_air_c: str = "temp_air_c"
    wind_speed_m_per_s: str = "wind_speed_m_per_s"
    stamp: Literal["instant", "start", "end"] = "instant"


@dataclass(frozen=True)
class Weather:
    """The weather: pvlib's clear sky under a seeded cloud model, or resampled from a measured file.

    Args:
        ghi_kwh_per_m2: mean global horizontal irradiation a year of the generated weather.
        monthly_clearness: mean GHI of each month over its clear-sky GHI, January first; scaled to the yearly
            irradiation. Iquitos is cloudiest in February and clearest from August to October.
        temp_air_c: mean air temperature of each month, January first.
        wind_speed_m_per_s: mean wind speed.
        file: measured weather; years are resampled from its days.
    """

    ghi_kwh_per_m2: float = 1668.0
    monthly_clearness: list[float] = field(
        default_factory=lambda: [0.66, 0.60, 0.69, 0.67, 0.65, 0.72, 0.71, 0.78, 0.79, 0.77, 0.71, 0.66]
    )
    temp_air_c: list[float] = field(
        default_factory=lambda: [26.0, 26.5, 25.7, 25.5, 25.4, 24.9, 24.8, 25.6, 26.2, 26.4, 25.9, 26.1]
    )
    wind_speed_m_per_s: float = 0.83
    file: WeatherFile | None = None

    def __post_init__(self) -> None:
        _require(0 < self.ghi_kwh_per_m2 <= 3500, "weather.ghi_kwh_per_m2", self.ghi_kwh_per_m2, "0 to 3500")
        wind = self.wind_speed_m_per_s
        _require(0 <= wind <= 40, "weather.wind_speed_m_per_s", wind, "0 to 40 m/s")
        for key in ("monthly_clearness", "temp_air_c"):
            values: list[float] = getattr(self, key)
            _require(len(values) == 12, f"weather.{key}", f"{len(values)} values", "12 values, January first")
        clear = self.monthly_clearness
        _require(all(0 < k <= 1 for k in clear), "weather.monthly_clearness", clear, "values above 0 and at most 1")


@dataclass(frozen=True)
class EnergyPrice:
    """An energy price in a window of the day.

    Args:
        from_hour: first hour.
        to_hour: end, not included.
        price_per_kwh: in the site's currency.
    """

    from_hour: float
    to_hour: float
    price_per_kwh: float

    def __post_init__(self) -> None:
        _require_window("tariff.windows", self.from_hour, self.to_hour)
        _require(self.price_per_kwh >= 0, "tariff.windows.price_per_kwh", self.price_per_kwh, "at least 0")


@dataclass(frozen=True)
class DemandCharge:
    """A charge on the month's highest import (mean power of a step) in a window of the day.

    Args:
        price_per_kw: in the site's currency, per month.
        from_hour: first hour.
        to_hour: end, not included.
        outside: count the hours outside the window instead.
    """

    price_per_kw: float
    from_hour: float = 0.0
    to_hour: float = 24.0
    outside: bool = False

    def __post_init__(self) -> None:
        _require(self.price_per_kw >= 0, "tariff.demand.price_per_kw", self.price_per_kw, "at least 0")
        _require_window("tariff.demand", self.from_hour, self.to_hour)


@dataclass(frozen=True)
class Tariff:
    """What the site pays for imports. Exports are unpaid.

    Args:
        currency: ISO 4217 code.
        price_per_kwh: energy price outside the windows.
        windows: energy prices in windows of the day; the first that holds counts.
        demand: monthly demand charges, each on its own hours.
    """

    currency: str = "PEN"
    price_per_kwh: float = 0.28
    windows: list[EnergyPrice] = field(default_factory=list)
    demand: list[DemandCharge] = field(default_factory=list)

    def __post_init__(self) -> None:
        _require(self.price_per_kwh >= 0, "tariff.price_per_kwh", self.price_per_kwh, "at least 0")


@dataclass(frozen=True)
class CarbonFile:
    """Carbon intensity of the grid over a year, one value a step, in a CSV file.

    Args:
        path: the CSV file, with one row for each step of the year.
        column: header of the values in kg/kWh.
    """

    path: Path_fr
    column: str = "carbon_kg_per_kwh"


@dataclass(frozen=True)
class Carbon:
    """Carbon dioxide of the grid, and of the gasoline that vehicles burn without it.

    Args:
        grid_kg_per_kwh: of an imported kWh.
        file: a series over the year, instead of the constant.
        km_per_kwh: electric range.
        km_per_gallon: gasoline range.
        kg_per_gallon: CO2 of a gallon.
    """

    grid_kg_per_kwh: float = 0.4521
    file: CarbonFile | None = None
    km_per_kwh: float = 35.0
    km_per_gallon: float = 120.0
    kg_per_gallon: float = 8.9

    def __post_init__(self) -> None:
        carbon, limit = self.grid_kg_per_kwh, MAX_CARBON_KG_PER_KWH
        _require(0 <= carbon <= limit, "carbon.grid_kg_per_kwh", carbon, f"0 to {limit:g} kg/kWh")
        for key in ("km_per_kwh", "km_per_gallon", "kg_per_gallon"):
            _require(getattr(self, key) > 0, f"carbon.{key}", getattr(self, key), "above 0")

    @property
    def gasoline_kg_per_kwh(self) -> float:
        """CO2 of the gasoline that a kWh in a vehicle's battery displaces (2.596 kg/kWh in Iquitos)."""
        return self.km_per_kwh / self.km_per_gallon * self.kg_per_gallon


PRESETS: dict[str, dict[str, float]] = {
    "balanced": {"bill": 1.0, "carbon_per_kg": 0.10, "unserved_per_kwh": 2.26, "wear_per_kwh": 0.0},
    "cost": {"bill": 1.0, "carbon_per_kg": 0.0, "unserved_per_kwh": 2.26, "wear_per_kwh": 0.0},
    "co2": {"bill": 0.0, "carbon_per_kg": 1.0, "unserved_per_kwh": 2.26, "wear_per_kwh": 0.0},
}


@dataclass(frozen=True)
class ForecastErrors:
    """Errors of a day-ahead forecast (root mean squares over a year), as ``litgrid.site.forecasts`` makes them.

    Args:
        day_error: of a day's energy, over the mean day's.
        hour_error: of the power about the day's level, over the mean power (PV: while the sun is up).
        hour_correlation: of the part of that error that is noise, an hour apart.
    """

    day_error: float
    hour_error: float
    hour_correlation: float


@dataclass(frozen=True)
class Forecast:
    """The day-ahead forecasts that every controller gets. The sources of the defaults are in docs/site.md.

    Args:
        pv: errors of the PV power's.
        load: errors of the load's.
    """

    pv: ForecastErrors = field(default_factory=lambda: ForecastErrors(0.18, 0.17, 0.85))
    load: ForecastErrors = field(default_factory=lambda: ForecastErrors(0.05, 0.05, 0.7))

    def __post_init__(self) -> None:
        for key, errors in (("pv", self.pv), ("load", self.load)):
            for part in ("day_error", "hour_error"):
                found = getattr(errors, part)
                _require(found >= 0, f"forecast.{key}.{part}", found, "at least 0 (0.2 for 20 %)")
            found = errors.hour_correlation
            _require(0 <= found < 1, f"forecast.{key}.hour_correlation", found, "0 to below 1")


@dataclass(frozen=True)
class Objective:
    """What the controller minimises, in the site's currency; the preset gives every weight that is not stated.

    Args:
        preset: balanced (bill, carbon at 0.10 per kg), cost (no carbon), co2 (carbon at 1 per kg, no bill).
        bill: weight of the energy and demand charges as billed.
        carbon_per_kg: price of CO2.
        unserved_per_kwh: price of energy that a vehicle needed, could have got, and did not get.
        wear_per_kwh: price of a kWh that the battery discharges.
    """

    preset: Literal["balanced", "cost", "co2"] = "balanced"
    bill: float | None = None
    carbon_per_kg: float | None = None
    unserved_per_kwh: float | None = None
    wear_per_kwh: float | None = None

    def __post_init__(self) -> None:
        for key in PRESETS[self.preset]:
            value = getattr(self, key)
            _require(value is None or value >= 0, f"objective.{key}", value, "at least 0")

    def with_preset(self) -> Objective:
        """Return it with the preset's weight for each that is not stated; every ``Site`` holds it so."""
        stated = {key: getattr(self, key) for key in PRESETS[self.preset] if getattr(self, key) is not None}
        return dataclasses.replace(self, **PRESETS[self.preset] | stated)


@dataclass(frozen=True)
class Years:
    """How many years of scenarios there are, by split.

    Args:
        train: years to learn from.
        validation: years to choose with; ``fit`` ends with them.
        test: years for ``evaluate`` and ``compare`` alone.
    """

    train: int = 8
    validation: int = 2
    test: int = 2

    def __post_init__(self) -> None:
        for key in ("train", "validation", "test"):
            _require(getattr(self, key) >= 1, f"years.{key}", getattr(self, key), "at least 1")


@dataclass(frozen=True)
class Site:
    """A site, and all that its scenarios are made from.

    Args:
        name: of the site.
        location: where it stands.
        pv: photovoltaic plant.
        battery: stationary battery.
        fleet: sockets and vehicles.
        load: the building's load.
        weather: irradiance, temperature, wind.
        tariff: prices.
        carbon: carbon intensities.
        forecast: errors of the day-ahead forecasts.
        objective: what controllers minimise.
        years: size of each split.
        rules: numbers of the rules and of predictive control.
        step_seconds: length of a time step.
        first_weekday: weekday of 1 January.
        seed: of everything that is drawn when scenarios are made.
    """

    name: str
    location: Location
    pv: Photovoltaics
    battery: Battery
    fleet: Fleet = field(default_factory=Fleet)
    load: Load = field(default_factory=Load)
    weather: Weather = field(default_factory=Weather)
    tariff: Tariff = field(default_factory=Tariff)
    carbon: Carbon = field(default_factory=Carbon)
    forecast: Forecast = field(default_factory=Forecast)
    objective: Objective = field(default_factory=Objective)
    years: Years = field(default_factory=Years)
    rules: Rules = field(default_factory=Rules)
    step_seconds: int = 3600
    first_weekday: Weekday = "monday"
    seed: int = 0

    def __post_init__(self) -> None:
        step = self.step_seconds
        _require(step > 0 and 3600 % step == 0, "step_seconds", step, "a divisor of 3600 (3600, 1800, 900, ...)")
        _require(self.seed >= 0, "seed", self.seed, "at least 0")
        object.__setattr__(self, "objective", self.objective.with_preset())

    @property
    def step_hours(self) -> float:
        """Length of a time step in hours."""
        return self.step_seconds / 3600

    @property
    def steps_per_day(self) -> int:
        """Time steps in a day."""
        return HOURS_PER_DAY * 3600 // self.step_seconds

    @property
    def steps_per_year(self) -> int:
        """Time steps in a generated year of 365 days."""
        return DAYS_PER_YEAR * self.steps_per_day


def read_site(path: str | Path, overrides: Sequence[str] = ()) -> Site:
    """Read a site from a YAML file; file names in it, and in those that it builds on, are relative to its folder.

    Args:
        path: the file.
        overrides: options that replace keys of the file, such as ``--site.battery.capacity_kwh=800``.

    Raises:
        InputError: the file is missing or a key is unknown, missing or wrong.
        MissingFile: what is wrong is that a file of data, which a key names, is not there.
    """
    where = ", based on ".join(map(str, [path, *bases(Path(path))]))
    where = " ".join([where, *overrides])
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Site, "site")
    try:
        site: Site = parser.instantiate(parser.parse_args([f"--site={path}", *overrides])).site
    except InputError as error:
        raise InputError(f"{where}, " + str(error).removeprefix("site, ")) from error
    except ArgumentError as error:
        said = explain(str(error), Site)
        raise (MissingFile if NO_FILE in said else InputError)(f"{where}, {said}") from error
    return site


def replace(part: Part, **changes: object) -> Part:
    """``dataclasses.replace`` for a site or a part of one (checked again)."""
    return dataclasses.replace(part, **changes)  # type: ignore[type-var]

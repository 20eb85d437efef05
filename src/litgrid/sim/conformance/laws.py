"""What holds in any run of any district, whatever the data and the actions: each law raises ``AssertionError``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from litgrid.scenarios.district import District, Storage
from litgrid.sim.district_parity import Run


class Laws:
    """The laws for one district and one run of it.

    Args:
        district: as read.
        first: row with which the run began.
        run: its quantities.
        slack: what rounding may add, as a share of the largest quantity of its kind.
    """

    def __init__(self, district: District, first: int, run: Run, slack: float) -> None:
        self.district, self.run, self.slack = district, run, slack
        rows = slice(first, first + len(run["net_kwh"]))
        self.series = {key: district.series[key][rows] for key in district.series.keys()}  # noqa: SIM118 (TensorDict)
        self.vehicle = district.connections["vehicle"][rows].long()
        self.hours = district.step_seconds / 3600

    def hold(self) -> None:
        """Check all of them."""
        self.energies_balance()
        self.only_imports_cost()
        self.socs_stay_in_bounds()
        self.powers_stay_within_nominal()
        self.nothing_moves_where_nothing_can()
        self.no_battery_gives_more_than_it_took()
        self.charging_stays_within_the_limits()

    def energies_balance(self) -> None:
        """Net energy is load, battery and chargers less PV; 0 in an outage."""
        outage = self.series["outage"]
        balance = self.run["load_kwh"] + self.run["bess_kwh"] + self._per_building("charger_kwh")
        balance = (balance - self.series["pv_kwh"]) * ~outage
        self._equal(self.run["net_kwh"], balance, "net energy is not load + battery + chargers - PV")
        self._equal(
            self.run["load_kwh"][~outage], self.series["load_kwh"][~outage], "the load served is not the data's"
        )

    def only_imports_cost(self) -> None:
        """Cost and CO2 are those of the import: never negative."""
        imported = self.run["net_kwh"].clamp(min=0.0)
        self._equal(self.run["cost"], imported * self.series["price_per_kwh"], "cost is not import x price")
        self._equal(self.run["co2_kg"], imported * self.series["carbon_kg_per_kwh"], "CO2 is not import x intensity")
        _require(self.run["cost"] >= 0.0, "a cost is negative")
        _require(self.run["co2_kg"] >= 0.0, "CO2 is negative")

    def socs_stay_in_bounds(self) -> None:
        """Within [1 - depth of discharge, 1]; vehicles that no charger has moved yet can be lower."""
        lowest = 1.0 - _each(self._batteries(), "depth_of_discharge")
        _require(self.run["bess_soc"] >= lowest - self.slack, "a battery is below its depth of discharge")
        lowest = 1.0 - _each([vehicle.storage for vehicle in self.district.vehicles], "depth_of_discharge")
        lowest = torch.where(self._moved(), lowest, 0.0)
        _require(self.run["vehicle_soc"] >= lowest - self.slack, "a vehicle is below its depth of discharge")
        for key in ("bess_soc", "vehicle_soc"):
            _require(self.run[key] <= 1.0 + self.slack, f"{key} is above 1")

    def powers_stay_within_nominal(self) -> None:
        """No battery or charger exceeds its power, and none its minimum power from below."""
        most = torch.zeros(len(self.district.buildings), dtype=torch.float64)
        most[self._homes()] = _each(self._batteries(), "power_kw") * self.hours
        self._at_most(self.run["bess_kwh"].abs(), most, "a battery exceeds its power")
        asked, taken, chargers = self.run["commanded_kwh"], self.run["charger_kwh"], self.district.chargers
        for sign, way in ((1.0, "charging"), (-1.0, "discharging")):
            most, least = (_each(chargers, f"{bound}_{way}_kw") * self.hours for bound in ("max", "min"))
            one_way = (asked * sign).clamp(min=0.0)
            self._at_most(one_way, most, f"a charger exceeds its power of {way}")
            self._at_most((taken * sign).clamp(min=0.0), one_way, f"a charger's {way} exceeds what was asked of it")
            short = (one_way > 0.0) & (one_way < torch.minimum(least, most) - self.slack)
            _require(~short, f"a charger is {way} below its minimum power")

    def nothing_moves_where_nothing_can(self) -> None:
        """No energy where no vehicle is connected, nor where no action moves the asset."""
        active = torch.tensor([charger.active for charger in self.district.chargers], dtype=torch.bool)
        can = (self.vehicle >= 0) & active
        _require(self.run["charger_kwh"][~can] == 0.0, "a charger without vehicle or action takes energy")
        moved = torch.tensor([b.battery is not None and b.battery_active for b in self.district.buildings])
        _require(self.run["bess_kwh"][:, ~moved] == 0.0, "a battery that no action moves takes energy")
        for key in ("bess_capacity_kwh", "vehicle_capacity_kwh"):
            _require(self.run[key].diff(dim=0) <= self.slack, f"{key} grows")

    def no_battery_gives_more_than_it_took(self) -> None:
        """Charging stores no more than it takes, discharging draws no less than it gives; standing by loses."""
        fleet = self._batteries()
        capacity, loss = _each(fleet, "capacity_kwh"), _each(fleet, "loss_coefficient") * self.hours
        lowest = 1.0 - _each(fleet, "depth_of_discharge")
        soc = self.run["bess_soc"]
        start = torch.maximum(soc[:-1] * (1.0 - loss), lowest)
        stored = (soc[1:] - start) * capacity
        taken = self.run["bess_kwh"][1:, self._homes()]
        self._at_most(stored, taken, "a battery stores more than it takes, or gives more than it draws")
        idle = taken == 0.0
        self._equal(stored[idle], taken[idle], "an idle battery loses other than by standing by")

    def charging_stays_within_the_limits(self) -> None:
        """``charging_constraints`` of buildings and phases."""
        asked = self.run["commanded_kwh"].clamp(min=0.0)
        for number, building in enumerate(self.district.buildings):
            if building.limits is None:
                continue
            own = [i for i, charger in enumerate(self.district.chargers) if charger.building == number]
            groups = [(own, building.limits.building_kw)]
            groups += [(list(phase.chargers), phase.limit_kw) for phase in building.limits.phases]
            for members, limit_kw in groups:
                most = torch.tensor(limit_kw * self.hours, dtype=torch.float64)
                self._at_most(asked[:, members].sum(-1), most, f"{building.name} charges beyond its limit")

    def _batteries(self) -> list[Storage]:
        return [building.battery for building in self.district.buildings if building.battery is not None]

    def _homes(self) -> list[int]:
        """Buildings of the batteries."""
        return [number for number, building in enumerate(self.district.buildings) if building.battery is not None]

    def _per_building(self, key: str) -> Tensor:
        home = torch.tensor([charger.building for charger in self.district.chargers], dtype=torch.int64)
        return torch.zeros_like(self.run["net_kwh"]).index_add_(1, home, self.run[key])

    def _moved(self) -> Tensor:
        """[steps, E] whether a charger that an action moves has the vehicle."""
        active = torch.tensor([charger.active for charger in self.district.chargers], dtype=torch.bool)
        numbers = torch.arange(len(self.district.vehicles))
        at_active = torch.where(active, self.vehicle, -1)
        return (at_active.unsqueeze(-1) == numbers).any(1)

    def _scale(self, values: Tensor) -> float:
        """Of energies: CityLearn keeps a SOC as a float32 share of a capacity."""
        fleet = [*self._batteries(), *(vehicle.storage for vehicle in self.district.vehicles)]
        capacity = max((storage.capacity_kwh for storage in fleet), default=1.0)
        return max(1.0, capacity, float(values.abs().max()) if values.numel() else 0.0)

    def _equal(self, found: Tensor, expected: Tensor, law: str) -> None:
        _require((found - expected).abs() <= self.slack * self._scale(expected), law)

    def _at_most(self, found: Tensor, most: Tensor, law: str) -> None:
        _require(found <= most + self.slack * self._scale(most), law)


def idle(district: District, first: int, run: Run, slack: float) -> None:
    """A run without actions is the data's own: nothing charges, and net energy is load less PV."""
    rows = slice(first, first + len(run["net_kwh"]))
    for key in ("bess_kwh", "charger_kwh", "commanded_kwh"):
        _require(run[key] == 0.0, f"{key} is not 0 without actions")
    expected = (district.series["load_kwh"] - district.series["pv_kwh"])[rows] * ~district.series["outage"][rows]
    error = (run["net_kwh"] - expected).abs() / expected.abs().clamp(min=1.0)
    _require(error <= slack, "without actions, net energy is not the data's load less PV")


def _each(assets: Sequence[object], name: str) -> Tensor:
    return torch.tensor([getattr(asset, name) for asset in assets], dtype=torch.float64)


def _require(holds: Tensor, law: str) -> None:
    if not bool(holds.all()):
        first = (~holds).nonzero()[0].tolist()
        raise AssertionError(f"{law}: {int((~holds).sum())} of {holds.numel()}, first at {first}")

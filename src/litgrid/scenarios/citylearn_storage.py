"""A CityLearn battery with every number resolved, also those that CityLearn draws where the schema has none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from litgrid.errors import InputError
from litgrid.scenarios.district import Curve, Storage

BATTERY = "citylearn.energy_model.Battery"
NAMES = (
    *("capacity", "nominal_power", "depth_of_discharge", "initial_soc", "efficiency", "loss_coefficient"),
    *("capacity_loss_coefficient", "power_efficiency_curve", "capacity_power_curve"),
)
_IGNORED = ("random_seed", "phase_connection", "seconds_per_time_step")


@dataclass
class Attributes:
    """Attributes of one device in the schema, and what had to be drawn for it.

    Attributes:
        where: the schema's path and the device's name in it, for messages.
        values: the schema's ``attributes``.
        seed: of CityLearn's draws; None where the schema has no random_seed.
        drawn: names of what was drawn so far.
    """

    where: str
    values: dict[str, Any]
    seed: int | None
    drawn: list[str] = field(default_factory=list)

    def number(self, name: str, default: float | None, high: float = np.inf, low: float = 0.0) -> float | None:
        """A finite number, or the default where it is absent or null."""
        value = self.values.get(name)
        if value is None:
            return default
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not np.isfinite(value) or not low <= value <= high:
            limits = f"{low:g} to {high:g}" if np.isfinite(high) else f"at least {low:g}"
            raise InputError(f"{self.where}.{name}: found {value!r}, expected one number, {limits}")
        return float(value)

    def drawn_number(self, name: str, low: float, high: float) -> float:
        """A share, or CityLearn's draw where it is absent."""
        value = self.number(name, None, 1.0)
        return self.draw(name, low, high) if value is None else value

    def draw(self, name: str, low: float, high: float) -> float:
        """CityLearn's draw: always the first of a new generator with the device's seed."""
        if self.seed is None:
            raise InputError(f"{self.where}: found neither {name} nor a random_seed to draw it with, expected one")
        if name not in self.drawn:
            self.drawn.append(name)
        return float(np.random.RandomState(self.seed).uniform(low, high))

    def curve(self, name: str, points: int = 2, y_low: float = -np.inf) -> Curve | None:
        """A list of [x, y] points with rising x; None where it is absent."""
        value = self.values.get(name)
        if value is None:
            return None
        try:
            pairs = np.array(value, dtype=np.float64)
        except (TypeError, ValueError):
            pairs = np.zeros(0)
        shaped = pairs.ndim == 2 and pairs.shape[1] == 2 and len(pairs) >= points
        if (
            not shaped
            or not np.isfinite(pairs).all()
            or (np.diff(pairs[:, 0]) <= 0).any()
            or (pairs[:, 1] < y_low).any()
        ):
            least = f", y at least {y_low:g}" if np.isfinite(y_low) else ""
            raise InputError(
                f"{self.where}.{name}: found {value!r}, expected {points} or more [x, y] of rising x{least}"
            )
        return tuple(pairs[:, 0].tolist()), tuple(pairs[:, 1].tolist())


def resolve(attributes: Attributes) -> Storage:
    """Battery of the given attributes, by the rules of CityLearn's ``Battery``.

    Args:
        attributes: of the battery; those drawn are added to its list.

    Returns:
        The battery; unset efficiency, losses and curves are CityLearn's own draws, exactly.

    Raises:
        InputError: an attribute is unknown, not a number of its range, or would be drawn without a seed.
    """
    unknown = set(attributes.values) - {*NAMES, *_IGNORED}
    if unknown:
        raise InputError(f"{attributes.where}: found an unknown attribute {min(unknown)}, expected {', '.join(NAMES)}")
    depth = attributes.number("depth_of_discharge", 1.0, 1.0) or 0.0
    lowest = 1.0 - depth
    efficiency = attributes.curve("power_efficiency_curve", y_low=1e-6) or _efficiency_curve(attributes)
    return Storage(
        capacity_kwh=attributes.number("capacity", 0.0) or 0.0,
        power_kw=attributes.number("nominal_power", 0.0) or 0.0,
        depth_of_discharge=depth,
        initial_soc=max(attributes.number("initial_soc", lowest, 1.0) or 0.0, lowest),
        loss_coefficient=attributes.drawn_number("loss_coefficient", 0.001, 0.009),
        capacity_loss_coefficient=attributes.drawn_number("capacity_loss_coefficient", 1e-5, 1e-4),
        power_efficiency_curve=efficiency,
        capacity_power_curve=attributes.curve("capacity_power_curve") or _power_curve(attributes),
    )


def _efficiency_curve(attributes: Attributes) -> Curve:
    """CityLearn's random curve around the scalar efficiency, which matters for nothing else."""
    scalar = attributes.number("efficiency", None, 1.0, 1e-6)
    scalar = attributes.draw("efficiency", 0.9, 0.98) if scalar is None else scalar

    def draw(low: float, high: float) -> float:
        return attributes.draw("power_efficiency_curve", low, high)

    x = (0.0, draw(0.25, 0.35), draw(0.65, 0.75), draw(0.75, 0.85), 1.0)
    shares = ((0.85, 0.90), (0.90, 0.95), (0.98, 1.0))
    rising = (draw(scalar * low, scalar * high) for low, high in shares)
    return x, (*rising, scalar, draw(scalar * 0.95, scalar * 0.98))


def _power_curve(attributes: Attributes) -> Curve:
    def draw(low: float, high: float) -> float:
        return attributes.draw("capacity_power_curve", low, high)

    return (0.0, draw(0.75, 0.85), 1.0), (draw(0.95, 1.0), draw(0.90, 0.95), draw(0.20, 0.30))


def device_seed(
    building: str, building_type: str, device: str, device_type: str, random_seed: int | None
) -> int | None:
    """Seed of a building's device: CityLearn's sum of growing MD5 hashes, cut to nine digits."""
    if random_seed is None:
        return None
    md5, total = hashlib.md5(usedforsecurity=False), 0
    for text in (building, building_type, device, device_type):
        md5.update(text.encode())
        total += int(md5.hexdigest(), 16)
    return int(str(total * (random_seed + 1))[:9])


def vehicle_initial_soc(name: str, random_seed: int) -> float:
    """A vehicle's initial SOC where the schema gives none: drawn by CityLearn from seed and name."""
    digest = hashlib.md5(f"{random_seed}:{name}:initial_soc".encode(), usedforsecurity=False).hexdigest()
    return float(np.random.RandomState(int(digest[:8], 16)).uniform(0.0, 1.0))

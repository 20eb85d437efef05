"""Limits of a CityLearn building's chargers and of its connection to the grid."""

from __future__ import annotations

from math import inf
from typing import Any

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_folder import Schema
from litgrid.scenarios.district import ChargingLimits, PhaseLimit, Service, phase_shares

_PHASES = {"l1": "L1", "l2": "L2", "l3": "L3", "phase_1": "L1", "phase_2": "L2", "phase_3": "L3"}
_ALL = ("all_phases", "all-phases", "three_phase", "three-phase")


def charging_limits(building: Schema, chargers: dict[str, int], place: str) -> tuple[ChargingLimits | None, list[str]]:
    """Limits of ``charging_constraints``; None where there are none, or a service that comes before them.

    Args:
        building: its schema.
        chargers: index in the district of each of its chargers.
        place: for messages.

    Returns:
        The limits, and what is odd about them.
    """
    config = building.get("charging_constraints")
    if not config:
        return None, []
    if building.get("electrical_service"):
        return None, [f"{place}.charging_constraints: CityLearn ignores them beside electrical_service"]
    limits, odd = [], []
    for number, phase in enumerate(config.get("phases") or []):
        here = f"{place}.charging_constraints.phases[{number}]"
        names = phase.get("chargers") or []
        odd += [f"{here}: there is no charger {name}" for name in names if name not in chargers]
        known = tuple(chargers[name] for name in names if name in chargers)
        limits.append(PhaseLimit(phase.get("name") or f"phase_{number + 1}", _limit(phase, "limit_kw", here), known))
    whole = _limit(config, "building_limit_kw", f"{place}.charging_constraints")
    return ChargingLimits(whole, tuple(limits)), odd


def service(building: Schema, place: str) -> Service | None:
    """Limits of ``electrical_service``, None where there is none."""
    config = building.get("electrical_service")
    if not config:
        return None
    place = f"{place}.electrical_service"
    phases = _phases(config, place)
    split = str(config.get("default_split", "balanced")).strip().lower()
    if split != "balanced" and split.upper() not in phases:
        raise InputError(f"{place}.default_split: found {split}, expected balanced or one of {', '.join(phases)}")
    limits = config.get("limits") or {}
    total, each = limits.get("total") or {}, _per_phase(limits.get("per_phase") or {}, phases, place)
    return Service(
        phases=phases,
        import_kw=_limit(total, "import_kw", f"{place}.limits.total"),
        export_kw=_limit(total, "export_kw", f"{place}.limits.total"),
        phase_import_kw=tuple(_limit(each[name], "import_kw", f"{place}.{name}") for name in phases),
        phase_export_kw=tuple(_limit(each[name], "export_kw", f"{place}.{name}") for name in phases),
        base_shares=phase_shares(phases, "all_phases" if split == "balanced" else split.upper()),
        battery_shares=phase_shares(phases, phase(battery_phase(building), phases, f"{place}, battery")),
    )


def battery_phase(building: Schema) -> Any:
    """Phase that the schema gives a building's battery."""
    attributes = (building.get("electrical_storage") or {}).get("attributes") or {}
    return attributes.get("phase_connection")


def phase(label: Any, phases: tuple[str, ...], place: str) -> str:
    """Name of the phase that something is connected to; all of them by default."""
    text = str(label if label is not None else "").strip().lower()
    name = "all_phases" if text in _ALL else _PHASES.get(text, text)
    if not name:
        return "L1" if len(phases) == 1 else "all_phases"
    if name not in (phases if len(phases) == 1 else (*phases, "all_phases")):
        raise InputError(f"{place}.phase_connection: found {label}, expected one of {', '.join(phases)}")
    return name


def _phases(config: Schema, place: str) -> tuple[str, ...]:
    mode = str(config.get("mode", "single_phase")).strip().lower()
    known = {"single_phase": ("L1",), "three_phase": ("L1", "L2", "L3")}
    if mode not in known:
        raise InputError(f"{place}.mode: found {mode}, expected {' or '.join(known)}")
    return known[mode]


def _per_phase(limits: Schema, phases: tuple[str, ...], place: str) -> dict[str, Schema]:
    named = {_PHASES.get(str(name).strip().lower(), str(name)): values or {} for name, values in limits.items()}
    unknown = set(named) - set(phases)
    if unknown:
        raise InputError(f"{place}.limits.per_phase: found {min(unknown)}, expected {', '.join(phases)}")
    return {name: named.get(name, {}) for name in phases}


def _limit(config: Schema, key: str, place: str) -> float:
    """A limit in kW, infinite where there is none."""
    value = config.get(key)
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InputError(f"{place}.{key}: found {value!r}, expected at least 0 kW, or null")
    return float(value)

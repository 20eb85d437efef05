"""Solved years are kept beside their scenarios, so that each is solved once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

from litgrid.controllers import program, sharing, site_program, socket_program, solution, stays, year_program
from litgrid.controllers.solution import Solution
from litgrid.errors import InputError, Stopped
from litgrid.scenarios.scenario_set import SESSION, ScenarioSet
from litgrid.sim import objective, physics, simulator, tables

SOURCES = (
    *(program, sharing, site_program, socket_program, solution, stays, year_program),
    *(objective, physics, simulator, tables),
)
"""Modules whose code decides what a solution is."""
SERIES = ("pv_kw", "load_kw", "price_per_kwh", "carbon_kg_per_kwh")


def kept(scenarios: ScenarioSet, solve: Callable[[ScenarioSet], list[Solution]]) -> list[Solution]:
    """Read the solutions of a set's years; solve and keep them first if they are not there.

    A set without a folder, or in one that can't be written to, is solved and its solutions are not kept.

    Raises:
        InputError: what is kept is damaged.
        Stopped: it could not be written.
    """
    folder = scenarios.folder
    if folder is None:
        return solve(scenarios)
    file = folder / f"optimum-{key(scenarios)}.pt"
    if file.exists():
        return _read(file)
    solutions = solve(scenarios)
    if os.access(folder, os.W_OK):
        _write(file, solutions)
    return solutions


def key(scenarios: ScenarioSet) -> str:
    """Hash of all that the solutions are made from, 16 hexadecimal digits: years, site, program, solver."""
    site = scenarios.site
    parts = {
        "battery": dataclasses.asdict(site.battery),
        "sockets": [dataclasses.asdict(group) for group in site.fleet.groups],
        "demand": [dataclasses.asdict(charge) for charge in site.tariff.demand],
        "objective": dataclasses.asdict(site.objective),
        "gasoline_kg_per_kwh": site.carbon.gasoline_kg_per_kwh,
        "step_seconds": site.step_seconds,
        "highspy": version("highspy"),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for module in SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    for values in (*(scenarios.series[name] for name in SERIES), *(scenarios.sessions[name] for name in SESSION)):
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _read(file: Path) -> list[Solution]:
    try:
        return [Solution(**solution) for solution in torch.load(file, weights_only=True)]
    except (OSError, EOFError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        found = " ".join(str(error).split())
        raise InputError(
            f"{file}: found {found}, expected solved years; delete it to have them solved again"
        ) from error


def _write(file: Path, solutions: list[Solution]) -> None:
    """Write it whole or not at all; another process may do the same at the same time."""
    part = file.with_name(f"{file.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        torch.save([dataclasses.asdict(solution) for solution in solutions], part)
        part.replace(file)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError where the disk is full
        raise Stopped(f"{file}: could not be written: {' '.join(str(error).split())}") from error
    finally:
        part.unlink(missing_ok=True)

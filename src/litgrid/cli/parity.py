"""``bench parity``: random CityLearn data sets through CityLearn and our simulator, and how far apart they are."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from litgrid.cli.bench_tools import Figures
from litgrid.errors import InputError
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim.citylearn_observations import CityLearnObserver
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.district_parity import (
    OBSERVATIONS,
    load_citylearn,
    random_actions,
    run_citylearn,
    run_simulator,
    worst_errors,
)

BOUNDS = {"float32_emulated": 1e-6, "float64": 1e-5, "float32": 1e-4}
"""Largest error allowed in 200 steps or a year: CityLearn stores SOCs and energies in float32."""
FEATURES = ("v2g", "curves", "dead_band", "losses", "limits", "service", "outage")


def measure(cases: int, steps: int, seed: int) -> Figures:
    """Compare both on random cases.

    Args:
        cases: how many.
        steps: of each case.
        seed: of all that is drawn; case i is drawn from (seed, i).

    Returns:
        ``cases``, ``counts`` (of each feature), ``arrivals`` and ``departures`` (fewest in a case), ``worst`` (mode ->
        quantity -> error and the case that shows it), ``bounds``, ``passed``.

    Raises:
        InputError: a number is out of range, or CityLearn is not installed.
    """
    for option, value, least in (("--cases", cases, 1), ("--steps", steps, 24), ("--seed", seed, 0)):
        if value < least:
            raise InputError(f"{option}: found {value}, expected at least {least}")
    counts: Counter[str] = Counter()
    worst: dict[str, dict[str, Figures]] = {mode: {} for mode in BOUNDS}
    fewest = {"arrivals": steps, "departures": steps}
    for number in range(cases):
        features = _draw(np.random.default_rng([seed, number]), steps)
        counts.update(_names(features))
        district, errors = _compare(features, seed + number)
        for what, moved in _moves(district).items():
            fewest[what] = min(fewest[what], moved)
        for mode, found in errors.items():
            for quantity, error in found.items():
                if quantity not in worst[mode] or error > worst[mode][quantity]["error"]:
                    worst[mode][quantity] = {"error": error, "case": number}
    largest = {mode: max(entry["error"] for entry in found.values()) for mode, found in worst.items()}
    return {
        "cases": cases,
        "steps": steps,
        "seed": seed,
        "counts": dict(counts),
        **fewest,
        "worst": worst,
        "bounds": BOUNDS,
        "passed": all(largest[mode] <= bound for mode, bound in BOUNDS.items()),
    }


def _draw(draw: np.random.Generator, steps: int) -> Features:
    """A case in which each feature is there by a toss."""
    tosses = {name: bool(draw.integers(2)) for name in FEATURES}
    return Features(
        steps=steps,
        step_seconds=int(draw.choice([900, 3600])),
        buildings=int(draw.integers(1, 4)),
        chargers=int(draw.integers(1, 5)),
        **tosses,
    )


def _names(features: Features) -> list[str]:
    """The issue's features that a case has."""
    present = {
        "V2G": features.v2g,
        "curves": features.curves,
        "dead-band": features.dead_band,
        "standby loss and degradation": features.losses,
        "constraints": features.limits or features.service,
        "outage": features.outage,
        "900 s steps": features.step_seconds == 900,
        "several buildings": features.buildings > 1,
    }
    return [name for name, there in present.items() if there]


def _compare(features: Features, seed: int) -> tuple[District, dict[str, dict[str, float]]]:
    """Write, read and run a case; the worst errors of each mode."""
    with tempfile.TemporaryDirectory() as folder:
        schema = write_random(Path(folder) / "data", features, seed)
        district, _ = read_district(schema.parent)
        env = load_citylearn(schema, observed=True)
    actions = random_actions(district, district.steps, seed)
    theirs = run_citylearn(env, district, actions)
    simulators = {
        "float32_emulated": DistrictSimulator(district, dtype=torch.float64, emulate_float32=True),
        "float64": DistrictSimulator(district, dtype=torch.float64),
        "float32": DistrictSimulator(district, dtype=torch.float32),
    }
    errors = {}
    for mode, simulator in simulators.items():
        observer = CityLearnObserver(district, dtype=simulator.dtype)
        ours = run_simulator(simulator, actions, observer=observer)
        named = observer.names == env.observation_names[0]
        compared = {key: values for key, values in theirs.items() if named or key != OBSERVATIONS}
        errors[mode] = {"observation_names": float(not named)} | worst_errors(ours, compared, district)
    return district, errors


def _moves(district: District) -> dict[str, int]:
    """How many vehicles come and go while the case is simulated."""
    vehicle = district.connections["vehicle"]
    before, after = vehicle[:-1], vehicle[1:]
    changed = before != after
    return {"arrivals": int((changed & (after >= 0)).sum()), "departures": int((changed & (before >= 0)).sum())}


def table(figures: Figures) -> str:
    """The figures for the terminal."""
    lines = [f"{figures['cases']} cases of {figures['steps']} steps, seed {figures['seed']}"]
    lines += [f"  {name:<30}{count:>6} cases" for name, count in sorted(figures["counts"].items())]
    lines += [f"  at least {figures[what]} {what} in each case" for what in ("arrivals", "departures")]
    lines += ["", f"{'worst error':<24}" + "".join(f"{mode:>26}" for mode in BOUNDS)]
    for quantity in figures["worst"]["float64"]:
        cells = [figures["worst"][mode][quantity] for mode in BOUNDS]
        lines.append(f"{quantity:<24}" + "".join(f"{c['error']:>14.1e} (case {c['case']:>4})" for c in cells))
    lines.append(f"{'bound':<24}" + "".join(f"{bound:>14.0e}{'':12}" for bound in BOUNDS.values()))
    return "\n".join([*lines, "", "passed" if figures["passed"] else "FAILED"])

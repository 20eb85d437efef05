"""Random scenarios: valid, fast to make and like no real site. Tests, parity checks and benchmarks run on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Site

Array = NDArray[Any]


def random_scenarios(site: Site, scenarios: int = 2, steps: int | None = None, seed: int = 0) -> ScenarioSet:
    """Draw scenarios without the generators.

    Day-ahead forecasts err by up to half (PV) and a tenth (load), each row by itself.

    Sessions come at all hours, follow each other back to back, last from a single step to 8 hours, and some of them
    need more energy than their socket can give.

    Args:
        site: that they are for.
        scenarios: how many, S.
        steps: rows of each, T; a year by default.
        seed: of all that is drawn.
    """
    rows = site.steps_per_year if steps is None else steps
    draw = np.random.default_rng(seed)
    series, sessions = _series(site, scenarios, rows, draw), _sessions(site, scenarios, rows, draw)
    return ScenarioSet(site, "train", series.update(_day_ahead(site, series, draw)), sessions)


def _series(site: Site, scenarios: int, steps: int, draw: np.random.Generator) -> TensorDict:
    hour = np.arange(steps) % site.steps_per_day * site.step_hours
    shape = (scenarios, steps)
    sun = np.clip(np.sin((hour - 6.0) * np.pi / 12.0), 0.0, None) * draw.uniform(0.2, 1.0, shape)
    load = site.load.peak_kw * (0.6 + 0.3 * np.sin((hour - 12.0) * np.pi / 12.0)) * draw.uniform(0.6, 1.1, shape)
    series = {
        "pv_kw": site.pv.ac_kw * sun,
        "load_kw": load,
        "price_per_kwh": draw.uniform(0.1, 0.6, shape),
        "carbon_kg_per_kwh": draw.uniform(0.2, 0.8, shape),
        "ghi_w_per_m2": 1000.0 * sun,
        "poa_w_per_m2": 1000.0 * sun,
        "temp_air_c": draw.uniform(20.0, 32.0, shape),
    }
    for key in ("pv", "load"):
        days = [np.roll(series[f"{key}_kw"], day * site.steps_per_day, 1) for day in range(1, 8)]
        series[f"{key}_persistence_kw"] = days[0]
        series[f"{key}_mean7_kw"] = np.mean(days, 0)
    tensors = {key: torch.from_numpy(values.astype(np.float32)) for key, values in series.items()}
    return TensorDict(tensors, batch_size=shape)


def _day_ahead(site: Site, series: TensorDict, draw: np.random.Generator) -> dict[str, torch.Tensor]:
    errors = {"pv": (0.5, site.pv.ac_kw), "load": (0.1, np.inf)}
    return {
        f"{key}_day_ahead_kw": torch.from_numpy(
            np.minimum(series[f"{key}_kw"].numpy() * draw.uniform(1 - error, 1 + error, series.batch_size), highest)
        ).float()
        for key, (error, highest) in errors.items()
    }


def _sessions(site: Site, scenarios: int, steps: int, draw: np.random.Generator) -> TensorDict:
    longest = round(8 / site.step_hours)
    shape = (scenarios, site.fleet.sockets, 1 + steps // 2)
    stay = draw.integers(1, longest + 1, shape)
    gap = draw.integers(0, longest + 1, shape) * (draw.uniform(size=shape) < 0.7)
    departure = np.cumsum(stay + gap, -1)
    sessions = [_table(departure[s] - stay[s], departure[s], steps, draw) for s in range(scenarios)]
    longest_table = max(len(table["socket"]) for table in sessions)
    padded = [_pad(table, longest_table, steps) for table in sessions]
    tensors = {key: torch.from_numpy(np.stack([table[key] for table in padded])) for key in padded[0]}
    return TensorDict(tensors, batch_size=(scenarios, longest_table))


def _table(arrival: Array, departure: Array, steps: int, draw: np.random.Generator) -> dict[str, Array]:
    """One scenario's sessions in the order of arrival, from arrivals and departures [N, K]."""
    socket, session = np.nonzero(departure <= steps)
    order = np.lexsort((socket, arrival[socket, session]))
    socket, session = socket[order], session[order]
    return {
        "socket": socket.astype(np.int16),
        "arrival": arrival[socket, session].astype(np.int32),
        "departure": departure[socket, session].astype(np.int32),
        "soc_arrival": draw.uniform(0.05, 0.6, len(socket)).astype(np.float32),
        "soc_required": draw.uniform(0.3, 1.0, len(socket)).astype(np.float32),
    }


def _pad(table: dict[str, Array], length: int, steps: int) -> dict[str, Array]:
    ends = {"arrival": steps, "departure": steps}
    missing = length - len(table["socket"])
    return {
        key: np.pad(values, (0, missing), constant_values=values.dtype.type(ends.get(key, 0)))
        for key, values in table.items()
    }

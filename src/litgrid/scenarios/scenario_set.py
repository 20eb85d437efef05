"""The scenario set: years of everything that a controller can't change, stacked into tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from tensordict import TensorDict
from torch import Tensor

from litgrid.site.site import Site

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SERIES = {
    "pv_kw": "AC power of the PV plant, mean over the step",
    "load_kw": "the building's load, without vehicles",
    "price_per_kwh": "price of imported energy, in the site's currency",
    "carbon_kg_per_kwh": "carbon intensity of imported energy",
    "pv_persistence_kw": "forecast of PV for this row: the same hour of the day before",
    "pv_mean7_kw": "forecast of PV for this row: mean of the same hour of the seven days before",
    "load_persistence_kw": "forecast of the load for this row: the same hour of the day before",
    "load_mean7_kw": "forecast of the load for this row: mean of the same hour of the seven days before",
    "pv_day_ahead_kw": "forecast of PV for this row: issued at 00:00 of the day before",
    "load_day_ahead_kw": "forecast of the load for this row: issued at 00:00 of the day before",
    "ghi_w_per_m2": "global horizontal irradiance, mean over the step",
    "poa_w_per_m2": "irradiance on the modules (plane of array), mean over the step",
    "temp_air_c": "air temperature, mean over the step",
}
SESSION = {
    "socket": "number of the socket, 0 to sockets - 1 (int16)",
    "arrival": "first step in which the vehicle is connected (int32)",
    "departure": "first step in which it is gone; connected in [arrival, departure) (int32)",
    "soc_arrival": "SOC when it comes, 0..1",
    "soc_required": "SOC that the driver needs when it leaves, 0..1",
}


@dataclass(frozen=True)
class ScenarioSet:
    """S years of T steps of one site and split.

    Row t covers [t, t + 1) in steps of local standard time, from 1 January 00:00 on. The forecasts of row t use
    nothing later than the same hour of the day before, or are issued at 00:00 of the day before, so a controller in
    step t may read them up to row t + steps_per_day - 1, which lies on the same day or on the next.

    Attributes:
        site: that the scenarios were made for.
        split: train, validation or test.
        series: float32 TensorDict [S, T] with the keys of ``SERIES``.
        sessions: TensorDict [S, M] with the keys of ``SESSION``, in the order of arrival (then socket); a scenario
            with fewer than M sessions is padded at its end with arrival = departure = T.
        folder: where the set is kept, and what is computed from it may be; None for nowhere.
    """

    site: Site
    split: Split
    series: TensorDict
    sessions: TensorDict
    folder: Path | None = None

    def __len__(self) -> int:
        return int(self.series.batch_size[0])

    @property
    def steps(self) -> int:
        """Steps in a year."""
        return int(self.series.batch_size[1])


def occupancy(sessions: TensorDict, sockets: int, steps: int) -> TensorDict:
    """Spread sessions over time, so that a simulator reads one contiguous row a step.

    Args:
        sessions: [S, M], as in ``ScenarioSet``; sessions of a socket don't overlap.
        sockets: number of sockets N.
        steps: number of steps T.

    Returns:
        TensorDict [S, T, N]: ``elapsed`` (int16, steps since arrival, 0 in the step of arrival), ``left`` (int16,
        steps until departure, at least 1 while connected, 0 while the socket is free), ``soc_arrival`` and
        ``soc_required`` (float32, constant over the stay, 0 while the socket is free).
    """
    scenarios = sessions.batch_size[0]
    stay = (sessions["departure"] - sessions["arrival"]).long().flatten()
    session = torch.repeat_interleave(stay)
    first = torch.cumsum(stay, 0) - stay
    elapsed = torch.arange(len(session), device=session.device) - first[session]
    row = torch.arange(scenarios, device=stay.device).repeat_interleave(sessions.batch_size[1])[session]

    def take(key: str) -> Tensor:
        values: Tensor = sessions[key].flatten()
        return values[session]

    at = (row, take("arrival").long() + elapsed, take("socket").long())

    def spread(values: Tensor, dtype: torch.dtype) -> Tensor:
        dense = torch.zeros(scenarios, steps, sockets, dtype=dtype, device=values.device)
        dense[at] = values.to(dtype)
        return dense

    return TensorDict(
        {
            "elapsed": spread(elapsed, torch.int16),
            "left": spread(stay[session] - elapsed, torch.int16),
            "soc_arrival": spread(take("soc_arrival"), torch.float32),
            "soc_required": spread(take("soc_required"), torch.float32),
        },
        batch_size=[scenarios, steps, sockets],
    )

"""What CityLearn shows an agent of a data set's files, besides what a step computes with."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from tensordict import TensorDict

_CALENDAR = {"month": "month", "hour": "hour", "minute": "minutes", "day_type": "day_type"}


def calendar(table: pd.DataFrame) -> TensorDict:
    """The calendar of a building's file.

    Args:
        table: of ``energy_simulation``, T rows.

    Returns:
        ``calendar`` of a district, [T] int64.
    """
    zeros = pd.Series(np.zeros(len(table)))
    columns = {ours: table.get(theirs, zeros).to_numpy(dtype=np.int64) for ours, theirs in _CALENDAR.items()}
    return TensorDict({name: torch.from_numpy(column.copy()) for name, column in columns.items()}, [len(table)])

"""What an evaluation of a district reports, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any

import torch

from litgrid.controllers import Controller
from litgrid.evaluation import citylearn_kpis
from litgrid.evaluation.district_accounting import account
from litgrid.evaluation.district_rollout import DistrictRollout, district_rollout
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim.district import DistrictFlows
from litgrid.sim.district_world import DistrictWorld
from litgrid.site.series import SECONDS_PER_DAY


def evaluate(scenarios: DistrictScenarios, controllers: Sequence[Controller]) -> dict[str, Any]:
    """Run controllers through every block of a split and account for them, in float64 on the CPU.

    Returns:
        ``site`` (name of the data set), ``split``, ``currency`` (None: that of the data), ``days``, ``blocks`` (their
        number) and ``controllers``, a row each: sums over the blocks, and each block's own figures under ``blocks``.
    """
    world = DistrictWorld(scenarios, dtype=torch.float64)
    steps = sum(end - first for first, end in scenarios.blocks)
    return {
        "site": scenarios.district.name,
        "split": scenarios.split,
        "currency": None,
        "days": steps * scenarios.district.step_seconds / SECONDS_PER_DAY,
        "blocks": len(scenarios.blocks),
        "controllers": [row(district_rollout(world, controller)) for controller in controllers],
    }


def row(run: DistrictRollout) -> dict[str, Any]:
    """Account for one controller; where every row is in one episode, with CityLearn's KPIs."""
    figures, blocks = account(run)
    about = {"controller": run.controller, "seed": run.seed, "split": run.scenarios.split}
    whole = {"kpis": kpis(run)} if run.scenarios.split == "all" else {}
    return {**about, **figures, **whole, "blocks": blocks}


def kpis(run: DistrictRollout) -> dict[str, float | None]:
    """CityLearn's KPIs of the district; None where the baseline is 0 and the run is not."""
    record = [DistrictFlows(*step) for step in zip(*run.flows, strict=True)]
    first = torch.tensor([first for first, _ in run.scenarios.blocks])
    found = citylearn_kpis.evaluate(run.scenarios.district, record, first).district
    return {name: None if isnan(float(value)) else float(value) for name, value in found.items()}

"""Which share of what the optimum gains over a reference a controller captures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from litgrid.controllers import make
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.sim.simulator import Simulator

SMALLEST_GAIN = 1e-3
"""Of the reference's figure: where the optimum gains less, a share would be noise."""


class Share(NamedTuple):
    """(reference - controller) / (reference - bound) of a figure; reference and bound are names of controllers."""

    figure: str
    reference: str
    bound: str = "optimum"


SHARES = {
    "share_co2": Share("co2_kg", "uncontrolled"),
    "share_bill": Share("bill", "self_consumption"),
    "share_objective": Share("objective", "self_consumption"),
}


def references(simulator: Simulator, rollouts: Sequence[Rollout]) -> list[Rollout]:
    """Simulate the references that are not among the rollouts; none where the optimum is not among them."""
    known = {run.controller for run in rollouts}
    wanted = {share.reference for share in SHARES.values()} if "optimum" in known else set()
    return [rollout(simulator, make(name, simulator.scenarios)) for name in sorted(wanted - known)]


def shares(row: dict[str, Any], rows: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """Compute the shares of one controller.

    Args:
        row: its figures.
        rows: figures of the others by name; with the optimum's, also those of the references.

    Returns:
        Name -> share, None without the optimum, or where it gains less than ``SMALLEST_GAIN``.
    """
    if "optimum" not in rows:
        return dict.fromkeys(SHARES)
    return {name: captured(row, rows, share) for name, share in SHARES.items()}


def captured(row: dict[str, Any], rows: Mapping[str, dict[str, Any]], share: Share) -> float | None:
    """Compute one share.

    Args:
        row: the controller's figures.
        rows: those of reference and bound, by name.
        share: which.

    Returns:
        None where the bound gains less than ``SMALLEST_GAIN``.
    """
    start: float = rows[share.reference][share.figure]
    gain = start - rows[share.bound][share.figure]
    return (start - row[share.figure]) / gain if gain > SMALLEST_GAIN * abs(start) else None

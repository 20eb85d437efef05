"""Which share of what the optimum gains over a reference a controller captures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from litgrid.controllers import make
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.sim.simulator import Simulator

SMALLEST_GAIN = 1e-3
"""Of the reference's figure: where the optimum gains less, a share would be noise."""


class Share(NamedTuple):
    """(reference - controller) / (reference - optimum) of a figure."""

    figure: str
    reference: str
    """Name of the controller."""


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
    return {name: _captured(row, rows[share.reference], rows["optimum"], share) for name, share in SHARES.items()}


def _captured(row: dict[str, Any], reference: dict[str, Any], optimum: dict[str, Any], share: Share) -> float | None:
    start: float = reference[share.figure]
    gain = start - optimum[share.figure]
    return (start - row[share.figure]) / gain if gain > SMALLEST_GAIN * abs(start) else None

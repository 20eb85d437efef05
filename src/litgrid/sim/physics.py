"""The physics of one step: battery, vehicles and grid connection, as pure functions of tensors.

Batches of B sites stand side by side; nothing loops over sites or sockets, waits for the device or writes into its
inputs. Battery and vehicles are one storage equation with different parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class State(NamedTuple):
    """Where B sites stand at the start of a step."""

    scenario: Tensor
    """[B] int64, number in the scenario set."""
    step: Tensor
    """[B] int64, row of the year, 0 to T (the end)."""
    bess_soc: Tensor
    """[B] SOC of the battery."""
    ev_soc: Tensor
    """[B, N] SOC of the vehicle at each socket, those that arrive with this step included; 0 where it is free."""
    peak_kw: Tensor
    """[B, D] highest import of the month so far that each demand charge counts."""


class Row(NamedTuple):
    """What a step takes from the scenario."""

    pv_kw: Tensor
    """[B] mean PV power."""
    load_kw: Tensor
    """[B] mean load without vehicles."""
    left: Tensor
    """[B, N] steps until departure, 0 where the socket is free."""
    soc_due: Tensor
    """[B, N] min(required, reachable) SOC in a vehicle's last step, 0 before."""
    soc_start: Tensor
    """[B, N] SOC of a vehicle that arrives with the next row, 0 where the socket is then free."""
    ev_required: Tensor
    """[B] as in ``Flows``."""
    ev_deliverable: Tensor
    """[B] as in ``Flows``."""


class Moved(NamedTuple):
    """What batteries and vehicles did in a step: SOCs at its end, energies at the site's side, charging positive."""

    bess_soc: Tensor
    """[B]"""
    bess_kwh: Tensor
    """[B]"""
    ev_soc: Tensor
    """[B, N] those that leave included, 0 where the socket is free."""
    ev_kwh: Tensor
    """[B, N]"""


class Flows(NamedTuple):
    """Energies of one step in kWh, [B] unless said otherwise.

    ``grid_import - grid_export = load + ev + bess_charge - bess_discharge - pv``. The last four are booked in the
    step after which the vehicle leaves.
    """

    pv: Tensor
    load: Tensor
    ev: Tensor
    """Taken by all sockets, less what they give back."""
    ev_sockets: Tensor
    """[B, N] taken by each socket."""
    bess_charge: Tensor
    """Taken by the battery, at the site's side."""
    bess_discharge: Tensor
    """Given by the battery, at the site's side."""
    grid_import: Tensor
    grid_export: Tensor
    ev_stored: Tensor
    """Into the vehicles' batteries."""
    ev_required: Tensor
    """max(0, required - arrival) C of the vehicles that leave."""
    ev_deliverable: Tensor
    """max(0, min(required, reachable) - arrival) C; reachable is what full power for the whole stay would give."""
    ev_unserved: Tensor
    """max(0, min(required, reachable) - SOC at departure) C."""
    ev_impossible: Tensor
    """required - deliverable: what no controller could give."""


class Parameters(NamedTuple):
    """The site's constants. A rate is the share of a capacity that full power moves in a step, at the site's side."""

    step_hours: float
    bess_capacity_kwh: float
    bess_rate: float
    bess_min_soc: float
    bess_efficiency: float
    socket_power_kw: Tensor
    """[N] highest charging power."""
    socket_capacity_kwh: Tensor
    """[N] of the vehicles' batteries."""
    socket_rate: Tensor
    """[N]"""
    socket_efficiency: Tensor
    """[N] one way."""
    socket_lowest: Tensor
    """[N] lowest action: -1 where the socket can discharge vehicles, else 0."""


def storage(soc: Tensor, request: Tensor, min_soc: float, efficiency: float | Tensor) -> tuple[Tensor, Tensor]:
    """Charge (request > 0) or discharge (request < 0) a storage over one step.

    CityLearn's ``Battery.charge`` with a constant efficiency, in shares of the capacity: charging takes
    L = min(request, (1 - soc) / efficiency) and stores L efficiency; discharging gives
    L = min(-request, (soc - min_soc) efficiency) and draws L / efficiency.

    Args:
        soc: state of charge before, 0..1.
        request: energy at the terminals, as a share of the capacity.
        min_soc: lowest state of charge.
        efficiency: one way, above 0 and at most 1.

    Returns:
        The state of charge after, and the energy moved at the terminals (positive when charging, share of capacity).
    """
    inverse = 1.0 / efficiency  # of [N] constants: products with it cost less than quotients of [B, N]
    moved = torch.clamp(request, (min_soc - soc) * efficiency, (1.0 - soc) * inverse)
    stored = torch.minimum(moved * efficiency, moved * inverse)  # the loss has the same sign both ways
    return torch.clamp(soc + stored, min_soc, 1.0), moved  # clamp: against rounding alone


def soc_due(start: Tensor, required: Tensor, left: Tensor, site: Parameters) -> Tensor:
    """min(required, reachable) SOC of the vehicles that leave after a row, 0 for those that stay.

    Args:
        start: [..., N] SOC that charging at once, up to the required one, left until this row (``Tables``): it is the
            required SOC already, or lacks what full power gives.
        required: [..., N]
        left: [..., N] steps until departure.
        site: its constants.
    """
    reachable = torch.clamp(start + site.socket_rate * site.socket_efficiency, max=1.0)
    return torch.minimum(required, reachable) * (1.0 - torch.clamp(left - 1.0, 0.0, 1.0))


def charge_vehicles(soc: Tensor, action: Tensor, left: Tensor, site: Parameters) -> tuple[Tensor, Tensor]:
    """What vehicles do in a step: their SOCs after it, and what they take at the site's side in kWh, [B, N] both.

    Args:
        soc: [B, N] before.
        action: [B, N] physical; what a socket can't is clipped.
        left: [B, N] steps until departure, 0 where the socket is free.
        site: its constants.
    """
    share = torch.clamp(torch.maximum(action, site.socket_lowest), max=1.0)
    request = share * site.socket_rate * left.clamp(max=1.0)  # nothing where the socket is free
    after, moved = storage(soc, request, 0.0, site.socket_efficiency)
    return after, moved * site.socket_capacity_kwh


def move(state: State, bess: Tensor, sockets: Tensor, row: Row, site: Parameters) -> Moved:
    """Charge and discharge batteries and vehicles.

    Args:
        state: at the start of the step.
        bess: [B] physical action of the battery, share of its power in [-1, 1]; values beyond are clipped.
        sockets: [B, N] physical actions of the sockets, shares of their power in [0, 1] ([-1, 1] with V2G); as above.
        row: the step's row of the scenario.
        site: its constants.
    """
    bess_request = torch.clamp(bess, -1.0, 1.0) * site.bess_rate
    bess_soc, moved = storage(state.bess_soc, bess_request, site.bess_min_soc, site.bess_efficiency)
    return Moved(bess_soc, moved * site.bess_capacity_kwh, *charge_vehicles(state.ev_soc, sockets, row.left, site))


def _written(values: Tensor) -> Tensor:
    """The same values. Where a step is compiled, they are written down instead of being computed within the sum over
    them: a sum can't share the observation's loop if it reads the tables itself, and would cut that loop in two.
    """
    return values.as_strided(values.shape, values.stride())


def settle(state: State, moved: Moved, row: Row, site: Parameters) -> tuple[State, Flows]:
    """Balance the site, book the vehicles that leave, and let the next ones arrive.

    Args:
        state: at the start of the step.
        moved: what batteries and vehicles did in it.
        row: the step's row of the scenario.
        site: its constants.

    Returns:
        The state at the start of the next step (``peak_kw`` is left to the objective), and the step's flows.
    """
    pv, load = row.pv_kw * site.step_hours, row.load_kw * site.step_hours
    ev = moved.ev_kwh.sum(-1)
    grid = load + ev + moved.bess_kwh - pv
    flows = Flows(
        pv=pv,
        load=load,
        ev=ev,
        ev_sockets=moved.ev_kwh,
        bess_charge=torch.clamp(moved.bess_kwh, min=0.0),
        bess_discharge=torch.clamp(-moved.bess_kwh, min=0.0),
        grid_import=torch.clamp(grid, min=0.0),
        grid_export=torch.clamp(-grid, min=0.0),
        ev_stored=(moved.ev_soc - state.ev_soc) @ site.socket_capacity_kwh,
        ev_required=row.ev_required,
        ev_deliverable=row.ev_deliverable,
        ev_unserved=_written(torch.clamp(row.soc_due - moved.ev_soc, min=0.0)) @ site.socket_capacity_kwh,
        ev_impossible=row.ev_required - row.ev_deliverable,
    )
    stays = torch.clamp(row.left - 1.0, 0.0, 1.0)
    ev_soc = torch.lerp(row.soc_start, moved.ev_soc, stays)  # exact at 0 and 1, and faster than torch.where
    return state._replace(step=state.step + 1, bess_soc=moved.bess_soc, ev_soc=ev_soc), flows

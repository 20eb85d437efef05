"""The storage with curves beside CityLearn's ``Battery`` itself, and beside the fast constant case."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from litgrid.scenarios.district import Curve, Storage
from litgrid.sim import physics, storage
from litgrid.sim.citylearn import process_settings_kept

STEPS = 30
CPU = torch.device("cpu")
BENT = Storage(
    capacity_kwh=10.0,
    power_kw=12.0,
    depth_of_discharge=0.8,
    initial_soc=0.5,
    loss_coefficient=0.02,
    capacity_loss_coefficient=0.01,
    power_efficiency_curve=((0.0, 0.3, 0.7, 1.0), (0.7, 0.83, 0.95, 0.85)),
    capacity_power_curve=((0.0, 0.4, 0.97), (0.6, 1.0, 0.2)),
)


class Trace(NamedTuple):
    """SOC after charging, capacity left and energy at the terminals of every step, [steps, K] each."""

    soc: Tensor
    capacity_kwh: Tensor
    kwh: Tensor


@st.composite
def curve(draw: st.DrawFn, low: float, high: float, last: float = 1.0) -> Curve:
    """From 0 to ``last``, beyond which the curve has to be continued."""
    inner = st.lists(st.integers(5, 95), max_size=3, unique=True)
    x = (0.0, *sorted(hundredth / 100 for hundredth in draw(inner)), last)
    return x, tuple(draw(st.floats(low, high)) for _ in x)


batteries = st.builds(
    Storage,
    capacity_kwh=st.floats(1.0, 2000.0),
    power_kw=st.floats(0.5, 1000.0),
    depth_of_discharge=st.floats(0.3, 1.0),
    initial_soc=st.floats(0.0, 1.0),
    loss_coefficient=st.sampled_from([0.0, 0.003, 0.2]),
    capacity_loss_coefficient=st.sampled_from([0.0, 1e-5, 0.01]),
    power_efficiency_curve=curve(0.5, 0.99),
    capacity_power_curve=st.sampled_from([0.97, 1.0]).flatmap(lambda last: curve(0.1, 1.0, last)),
)


def random_requests(fleet: list[Storage], seed: int, step_hours: float) -> Tensor:
    """[STEPS, K] kWh at the terminals: charging and discharging for a while, up to 1.2 x nominal power, some 0."""
    draw = np.random.default_rng(seed)
    drift = np.repeat(draw.uniform(-1.0, 1.0, (STEPS // 5, len(fleet))), 5, axis=0)
    share = np.clip(drift + draw.uniform(-0.5, 0.5, (STEPS, len(fleet))), -1.2, 1.2)
    share[draw.uniform(size=share.shape) < 0.1] = 0.0
    return torch.from_numpy(share * [battery.power_kw * step_hours for battery in fleet])


def citylearn_battery(battery: Storage, step_seconds: int) -> Any:
    pytest.importorskip("citylearn")
    with process_settings_kept():
        from citylearn.base import EpisodeTracker  # noqa: PLC0415 (an optional dependency)
        from citylearn.energy_model import Battery  # noqa: PLC0415

    tracker = EpisodeTracker(0, STEPS)
    tracker.next_episode(STEPS + 1, False, False, 0)
    found = Battery(
        capacity=battery.capacity_kwh,
        nominal_power=battery.power_kw,
        efficiency=0.9,
        depth_of_discharge=battery.depth_of_discharge,
        initial_soc=battery.initial_soc,
        loss_coefficient=battery.loss_coefficient,
        capacity_loss_coefficient=battery.capacity_loss_coefficient,
        power_efficiency_curve=list(zip(*battery.power_efficiency_curve, strict=True)),
        capacity_power_curve=list(zip(*battery.capacity_power_curve, strict=True)),
        seconds_per_time_step=step_seconds,
        episode_tracker=tracker,
        random_seed=0,
    )
    found.reset()
    return found


def citylearn_trace(fleet: list[Storage], requests: Tensor, step_seconds: int) -> Trace:
    traces = []
    for battery, energies in zip(fleet, requests.T.tolist(), strict=True):
        theirs, rows = citylearn_battery(battery, step_seconds), []
        for t, energy in enumerate(energies):
            theirs.charge(energy)
            rows.append([theirs.soc[t], theirs.degraded_capacity, theirs.energy_balance[t]])
            theirs.next_time_step()
        traces.append(rows)
    return Trace(*torch.tensor(np.array(traces, dtype=np.float64)).permute(2, 1, 0))


def our_trace(
    fleet: list[Storage], requests: Tensor, step_hours: float, dtype: torch.dtype, emulate: bool = False
) -> Trace:
    """``emulate``: SOC and energy are rounded to float32 as CityLearn stores them."""
    params = storage.parameters(fleet, step_hours, CPU, dtype)

    def stored(value: Tensor) -> Tensor:
        return value.float().to(dtype) if emulate else value

    soc = stored(torch.maximum(params.initial_soc, params.min_soc)).unsqueeze(0)
    lost, rows = torch.zeros_like(soc), []
    for request in requests.to(dtype):
        after = storage.charge(soc, lost, request.unsqueeze(0), params, step_hours)
        lost = after.lost
        rows.append(torch.stack([stored(after.soc), params.capacity_kwh * (1.0 - lost), stored(after.kwh)])[:, 0])
        soc = stored(storage.stand_by(rows[-1][:1], params))
    return Trace(*torch.stack(rows, 1).double())


def errors(ours: Trace, theirs: Trace, fleet: list[Storage]) -> tuple[float, float, float]:
    """Largest errors: SOC; capacity, as a share of the nominal; energy, as a share of it or of 1 kWh if more."""
    nominal = torch.tensor([battery.capacity_kwh for battery in fleet], dtype=torch.float64)
    differences = [(a - b).abs() for a, b in zip(ours, theirs, strict=True)]
    scales = (torch.ones_like(nominal), nominal, nominal.clamp(min=1.0))
    soc, capacity, kwh = (float((d / scale).max()) for d, scale in zip(differences, scales, strict=True))
    return soc, capacity, kwh


cases = {
    "fleet": st.lists(batteries, min_size=1, max_size=4),
    "seed": st.integers(0, 2**31),
    "step_seconds": st.sampled_from([900, 3600]),
}


@settings(max_examples=100, deadline=None)
@given(**cases)
def test_equals_citylearns_battery(fleet: list[Storage], seed: int, step_seconds: int) -> None:
    hours = step_seconds / 3600
    requests = random_requests(fleet, seed, hours)
    theirs = citylearn_trace(fleet, requests, step_seconds)
    assert max(errors(our_trace(fleet, requests, hours, torch.float64, emulate=True), theirs, fleet)) < 1e-6
    assert max(errors(our_trace(fleet, requests, hours, torch.float64), theirs, fleet)) < 1e-5
    assert max(errors(our_trace(fleet, requests, hours, torch.float32), theirs, fleet)) < 1e-5


def test_the_constant_case_is_the_fast_storage() -> None:
    """Flat curves, no loss, no degradation: ``physics.storage`` in shares of the capacity."""
    draw = np.random.default_rng(0)
    flat = ((0.0, 1.0), (0.81, 0.81))
    fleet = [Storage(50.0, 1e6, 0.8, 0.5, 0.0, 0.0, flat, ((0.0, 1.0), (1.0, 1.0)))] * 4
    params = storage.parameters(fleet, 1.0, CPU, torch.float64)
    soc, request = (torch.from_numpy(draw.uniform(low, 1.0, (100, 4))) for low in (0.2, -1.0))
    found = storage.charge(soc, torch.zeros_like(soc), request * 50.0, params, 1.0)
    expected_soc, expected = physics.storage(soc, request, 0.2, 0.9)
    torch.testing.assert_close(found.soc, expected_soc)
    torch.testing.assert_close(found.kwh, expected * 50.0)
    assert not found.lost.any()


def test_below_the_depth_of_discharge_it_is_lifted_without_energy() -> None:
    """CityLearn's oddity: a vehicle that arrives with 2 % of a battery of 90 % depth has 10 % after one idle step."""
    line = ((0.0, 1.0), (1.0, 1.0))
    params = storage.parameters([Storage(50.0, 10.0, 0.9, 0.0, 0.0, 0.0, line, line)], 1.0, CPU, torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    found = storage.charge(0.02 * one, 0.0 * one, 0.0 * one, params, 1.0)
    assert float(found.soc) == pytest.approx(0.1)
    assert float(found.kwh) == 0.0


def test_curves_of_one_point_are_constant_and_others_go_on_beyond_their_ends() -> None:
    lines = storage.curves([((0.5,), (0.9,)), ((0.2, 0.6, 1.0), (0.0, 0.4, 0.4))], CPU, torch.float64)
    x = torch.tensor([[0.1, 0.1], [0.4, 0.4], [2.0, 2.0]], dtype=torch.float64)
    expected = torch.tensor([[0.9, -0.1], [0.9, 0.2], [0.9, 0.4]], dtype=torch.float64)
    torch.testing.assert_close(storage.interpolate(lines, x), expected)


def test_gradients_are_those_of_finite_differences() -> None:
    params = storage.parameters([BENT] * 3, 1.0, CPU, torch.float64)
    soc = torch.tensor([[0.5, 0.6, 0.7]], dtype=torch.float64, requires_grad=True)
    request = torch.tensor([[3.0, -4.0, 7.0]], dtype=torch.float64, requires_grad=True)

    def step(soc: Tensor, request: Tensor) -> tuple[Tensor, ...]:
        return storage.charge(soc, torch.full_like(soc, 0.1), request, params, 1.0)

    assert torch.autograd.gradcheck(step, (soc, request))


FAULTS = {
    "sign": ("request_kwh / nominal", "-request_kwh / nominal"),
    "efficiency twice": ("minimum(moved * one_way, moved", "minimum(moved * one_way**2, moved"),
    "efficiency not rooted": ("(max=1.0)).sqrt()", "(max=1.0))"),
    "one pass": ("constant else 2)", "constant else 1)"),
    "curve held at its end": ("interpolate(params.power, before)", "interpolate(params.power, before.clamp(max=0.97))"),
    "power curve by the SOC left": (
        "interpolate(params.power, before)",
        "interpolate(params.power, before / (1.0 - lost))",
    ),
    "depth of discharge": ("min_soc=per_battery([1.0 - battery", "min_soc=per_battery([0.99 - battery"),
    "SOC of the capacity left": ("Charged(after,", "Charged(after / (1.0 - lost),"),
    "capacity not worn": ("(1.0 - before) - lost)", "(1.0 - before))"),
    "wear of a half cycle": ("moved.abs() / (2.0 *", "moved.abs() / (1.0 *"),
    "loss of the room": ("soc * (1.0 - params.loss)", "1.0 - (1.0 - soc) * (1.0 - params.loss)"),
    "loss without the step's length": ("loss_coefficient * step_hours", "loss_coefficient"),
    "segment": ("value + (x - start) * slope, found", "value + x * slope, found"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, plant: Callable[[ModuleType, str, str], None]) -> None:
    """Each shows at ten times the bound and more."""
    fleet = [BENT] * 8
    requests = random_requests(fleet, 3, 0.25)
    theirs = citylearn_trace(fleet, requests, 900)
    assert max(errors(our_trace(fleet, requests, 0.25, torch.float64), theirs, fleet)) < 1e-5
    plant(storage, *FAULTS[fault])
    assert max(errors(our_trace(fleet, requests, 0.25, torch.float64), theirs, fleet)) > 1e-4

"""The storage equation by hand, its laws as properties, and its gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from litgrid.sim.physics import storage

SHARES = st.floats(0.0, 1.0)


def one(soc: float, request: float, min_soc: float = 0.2, efficiency: float = 0.95) -> tuple[float, float]:
    after, moved = storage(
        torch.tensor(soc, dtype=torch.float64), torch.tensor(request, dtype=torch.float64), min_soc, efficiency
    )
    return float(after), float(moved)


@pytest.mark.parametrize(
    ("soc", "request_", "after", "moved"),
    [
        (0.5, 0.0, 0.5, 0.0),
        (0.5, 0.1, 0.595, 0.1),  # stores 95 % of what it takes
        (0.5, -0.095, 0.4, -0.095),  # draws 1 / 95 % of what it gives
        (0.9, 1.0, 1.0, 0.1 / 0.95),  # full
        (0.3, -1.0, 0.2, -0.1 * 0.95),  # empty
        (1.0, 0.5, 1.0, 0.0),
        (0.2, -0.5, 0.2, 0.0),
    ],
)
def test_storage_by_hand(soc: float, request_: float, after: float, moved: float) -> None:
    assert one(soc, request_) == pytest.approx((after, moved), abs=1e-12)


@given(soc=SHARES, request=st.floats(-2.0, 2.0), min_soc=st.floats(0.0, 0.5), efficiency=st.floats(0.5, 1.0))
def test_storage_keeps_its_laws(soc: float, request: float, min_soc: float, efficiency: float) -> None:
    soc = min_soc + (1.0 - min_soc) * soc
    after, moved = one(soc, request, min_soc, efficiency)
    assert min_soc <= after <= 1.0
    assert abs(moved) <= abs(request) + 1e-15
    assert moved * request >= 0.0
    assert after - soc == pytest.approx(moved * efficiency if moved > 0 else moved / efficiency, abs=1e-12)
    if abs(moved) < abs(request) - 1e-12:  # then it is full or empty
        assert after == pytest.approx(1.0 if request > 0 else min_soc, abs=1e-12)


def test_storage_takes_an_efficiency_for_each_column() -> None:
    after, moved = storage(torch.zeros(2, 3), torch.full((2, 3), 0.1), 0.0, torch.tensor([0.5, 0.8, 1.0]))
    torch.testing.assert_close(after, torch.tensor([[0.05, 0.08, 0.1]] * 2))
    torch.testing.assert_close(moved, torch.full((2, 3), 0.1))


def test_storage_gradients_agree_with_finite_differences() -> None:
    """In every regime: charging, discharging, full, empty."""
    soc = torch.tensor([0.5, 0.5, 0.95, 0.25], dtype=torch.float64, requires_grad=True)
    request = torch.tensor([0.1, -0.1, 0.5, -0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, q: storage(s, q, 0.2, 0.9), (soc, request))

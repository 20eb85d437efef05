"""The autoregressive process: mean, variance and correlation."""

import numpy as np
import pytest

from litgrid.site.process import ar1


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.95])
def test_moments(coefficient: float) -> None:
    values = ar1(200_000, coefficient, np.random.default_rng(0))
    assert values.mean() == pytest.approx(0.0, abs=0.05)
    assert values.var() == pytest.approx(1.0, abs=0.05)
    for lag in (1, 3):
        assert (values[lag:] * values[:-lag]).mean() == pytest.approx(coefficient**lag, abs=0.05)


def test_it_is_stationary_from_the_start() -> None:
    rng = np.random.default_rng(0)
    starts = np.array([ar1(3, 0.9, rng) for _ in range(20_000)])
    np.testing.assert_allclose(starts.var(axis=0), 1.0, atol=0.05)

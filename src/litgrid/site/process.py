"""Random processes with memory, shared by the weather and the load that are generated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]


def ar1(steps: int, coefficient: float, rng: np.random.Generator) -> Array:
    """Stationary Gaussian AR(1) process: mean 0, variance 1, correlation ``coefficient ** lag``.

    Args:
        steps: length.
        coefficient: correlation between neighbours, 0 to below 1.
        rng: of the draws.

    Returns:
        Array [steps].
    """
    noise = rng.standard_normal(steps)
    noise[1:] *= np.sqrt(1 - coefficient**2)  # the first value is drawn from the stationary distribution
    values: Array = lfilter([1.0], [1.0, -coefficient], noise)
    return values

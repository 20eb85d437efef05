"""A battery whose best control is known: linear in its state, quadratic in its costs.

A battery levels a net load that comes and goes at random. With x the energy in the battery less half its capacity, in
units of four hours of full power, d the net load and a the charging power, both in units of full power:

    x' = x + 0.25 a,  d' = 0.7 d + w,  w uniform in [-0.2, 0.2],  cost (d + a)^2 + 0.1 x^2,  a in [-1, 1]

The linear law of Riccati's equation is optimal without bounds on a; from all states in which episodes start it never
leaves [-1, 1] (``highest_power``), so that it is the optimum within the bounds, too, exactly.

D. P. Bertsekas, *Dynamic Programming and Optimal Control*, volume 1, chapter "Perfect State Information", section on
linear systems and quadratic cost.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_are

Array = NDArray[np.float64]

STEPS = 100
DISCOUNT = 0.9  # of costs; what comes after an episode of 100 steps weighs 3e-5 and is left out
PER_STEP, PERSISTENCE, NOISE, SOC_WEIGHT = 0.25, 0.7, 0.2, 0.1
REWARD_SCALE = 10.0
START = np.array([0.5, 0.5 * NOISE / (1.0 - PERSISTENCE)])
"""Episodes start anywhere between minus and plus this (x, d)."""

DYNAMICS = np.diag([1.0, PERSISTENCE])
CONTROL = np.array([[PER_STEP], [0.0]])
STATE_COST = np.diag([SOC_WEIGHT, 1.0])
CROSS_COST = np.array([[0.0], [1.0]])
POWER_COST = np.eye(1)


class LevelLoad(gymnasium.Env[Array, Array]):
    """The battery as an environment; the reward is minus ten times the cost, so that it is of order 1.

    Observations are (x, d). Episodes are truncated after 100 steps, never terminated.
    """

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode at random."""
        super().reset(seed=seed, options=options)
        self._state = self.np_random.uniform(-START, START)
        self._step = 0
        return self._state.astype(np.float32), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Charge with ``action`` [1] for a step."""
        soc, load = self._state
        power = float(np.clip(action[0], -1.0, 1.0))
        cost = (load + power) ** 2 + SOC_WEIGHT * soc**2
        noise = self.np_random.uniform(-NOISE, NOISE)
        self._state = np.array([soc + PER_STEP * power, PERSISTENCE * load + noise])
        self._step += 1
        return self._state.astype(np.float32), -REWARD_SCALE * float(cost), False, self._step == STEPS, {}


def value() -> Array:
    """P [2, 2] of the expected discounted cost z'Pz + constant from state z, under the optimum."""
    root = DISCOUNT**0.5
    riccati: Array = solve_discrete_are(root * DYNAMICS, root * CONTROL, STATE_COST, POWER_COST, s=CROSS_COST)
    return riccati


def gain() -> Array:
    """K [1, 2] of the optimum a = -Kz."""
    ahead = DISCOUNT * CONTROL.T @ value()
    law: Array = np.linalg.solve(POWER_COST + ahead @ CONTROL, ahead @ DYNAMICS + CROSS_COST.T)
    return law


def expected_return() -> float:
    """Discounted return of the optimum, in expectation over starts and noise, of episodes without end."""
    start, noise = np.diag(START**2 / 3.0), np.diag([0.0, NOISE**2 / 3.0])
    weights = start + DISCOUNT / (1.0 - DISCOUNT) * noise
    return -REWARD_SCALE * float(np.trace(value() @ weights))


def highest_power() -> float:
    """The highest power that the optimum can ever ask for, whatever the start and the noise; in units of full power."""
    closed, reply, noise, highest = DYNAMICS - CONTROL @ gain(), gain()[0], 0.0, 0.0
    for _ in range(STEPS):
        highest = max(highest, float(np.abs(reply) @ START) + noise)
        noise += abs(float(reply[1])) * NOISE
        reply = reply @ closed
    return highest

"""The battery's optimum against other ways to it: least squares over whole plans, simulation, other laws."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from litgrid.sim import linear_quadratic as lq

Array = NDArray[np.float64]


def returns(law: Array, episodes: int = 100) -> Array:
    """Discounted returns of a = -law z, over episodes that are the same for all laws."""
    totals = np.zeros(episodes)
    for number in range(episodes):
        env = lq.LevelLoad()
        state, _ = env.reset(seed=number)
        for step in range(lq.STEPS):
            state, reward, _, over, _ = env.step(-law @ state)
            totals[number] += lq.DISCOUNT**step * reward
        assert over
    return totals


@pytest.mark.parametrize("start", [[0.5, 0.0], [0.0, -0.3], [-0.2, 0.3]])
def test_the_first_power_is_that_of_the_best_plan(start: list[float]) -> None:
    """Without noise, all costs are squares of what is linear in the plan: a least-squares problem."""
    rows, right = [], []
    for step in range(lq.STEPS):
        weight = lq.DISCOUNT ** (step / 2)
        now, before = np.zeros(lq.STEPS), np.zeros(lq.STEPS)
        now[step], before[:step] = 1.0, lq.PER_STEP
        rows += [weight * now, weight * lq.SOC_WEIGHT**0.5 * before]
        right += [-weight * start[1] * lq.PERSISTENCE**step, -weight * lq.SOC_WEIGHT**0.5 * start[0]]
    plan, residual, *_ = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)
    assert plan[0] == pytest.approx(float((-lq.gain() @ start)[0]), abs=1e-4)
    assert residual[0] == pytest.approx(np.array(start) @ lq.value() @ start, rel=1e-3)


def test_the_optimum_stays_within_the_bounds() -> None:
    assert 0.5 < lq.highest_power() < 1.0


def test_simulated_returns_are_those_that_riccati_expects() -> None:
    simulated = returns(lq.gain(), 400)
    assert simulated.mean() == pytest.approx(lq.expected_return(), abs=4.0 * simulated.std() / 20.0)


@pytest.mark.parametrize("change", [[0.1, 0.0], [-0.1, 0.0], [0.0, 0.1], [0.0, -0.1]])
def test_every_other_law_is_worse(change: list[float]) -> None:
    assert returns(lq.gain() + change).mean() < returns(lq.gain()).mean()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_gymnasium_accepts_it() -> None:
    check_env(lq.LevelLoad(), skip_render_check=True)


def test_a_step_by_hand() -> None:
    env = lq.LevelLoad()
    (soc, load), _ = env.reset(seed=0)
    (after, _), reward, terminated, truncated, _ = env.step(np.array([2.0]))
    assert reward == pytest.approx(-10.0 * ((load + 1.0) ** 2 + 0.1 * soc**2), rel=1e-5)
    assert after == pytest.approx(soc + 0.25, rel=1e-5)
    assert not terminated
    assert not truncated

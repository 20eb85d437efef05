"""The arithmetic of PPO's and A2C's advantages and losses on tensors that can be worked out by hand."""

import math
from typing import Any

import pytest
import torch
from tensordict import TensorDict
from torch.optim import Adam, RMSprop

from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.agent import spaces
from litgrid.algorithms.execution import total
from litgrid.algorithms.networks import Network, Spaces
from litgrid.algorithms.on_policy import Advantage, LearningRates, OnPolicy, Weights
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.sources import SiteYears
from litgrid.errors import InputError
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

NETWORK = Network(hidden=[8, 8], sockets=4)
ENV = EnvConfig(observation="entity")
ENVS, STEPS = 3, 4


@pytest.fixture
def shapes(small_site: Site) -> Spaces:
    """What an agent reads and writes on the small site."""
    return spaces(SiteYears(small_site).sample(), ENV)


def make(kind: type[OnPolicy], shapes: Spaces, **arguments: Any) -> Any:
    """An algorithm with its networks, without a trainer."""
    torch.manual_seed(0)
    algorithm = kind(env=ENV, actor_network=NETWORK, critic_network=NETWORK, **arguments)
    algorithm.build(shapes)
    return algorithm


def collected(algorithm: OnPolicy, shapes: Spaces) -> TensorDict:
    """Frames [envs, steps] of the algorithm's own policy, with random observations and rewards."""

    def observation() -> dict[str, torch.Tensor]:
        values = {key: torch.rand(ENVS, STEPS, *shape) for key, shape in shapes.shapes.items()}
        return values | {"mask": values["mask"] > 0.5}

    no = torch.zeros(ENVS, STEPS, 1, dtype=torch.bool)
    after = {"reward": torch.randn(ENVS, STEPS, 1), "terminated": no, "truncated": no.clone(), "done": no.clone()}
    seen, last = observation(), observation()
    next_seen = {key: torch.cat([seen[key][:, 1:], last[key][:, :1]], 1) for key in seen}
    with torch.no_grad():
        frames = algorithm.actor(TensorDict(seen, batch_size=[ENVS, STEPS]))
    return frames.set("next", TensorDict(next_seen | after, batch_size=[ENVS, STEPS]))


def by_hand(batch: TensorDict, discount: float, decay: float) -> torch.Tensor:
    """Generalised advantages, term by term, from the values that are in the batch."""
    value, after = batch["state_value"], batch["next", "state_value"]
    reward, done, terminated = (batch["next", key] for key in ("reward", "done", "terminated"))
    error = reward + discount * after * ~terminated - value
    advantage = torch.zeros_like(value)
    for start in range(STEPS):
        weight = torch.ones_like(value[:, 0])
        for step in range(start, STEPS):
            advantage[:, start] += weight * error[:, step]
            weight = weight * discount * decay * ~done[:, step]
    return advantage


@pytest.mark.parametrize("decay", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("end", ["", "truncated", "terminated"])
def test_advantages(shapes: Spaces, decay: float, end: str) -> None:
    """A window that is cut off goes on in the value of its last observation; one that terminates does not."""
    algorithm = make(PPO, shapes, advantage=Advantage(discount=0.8, decay=decay))
    batch = collected(algorithm, shapes)
    if end:
        batch["next", end][1, 2] = batch["next", "done"][1, 2] = True
        batch["next", "site"][1, 2] += 1.0  # a window's last observation is not what the next one begins with
    frames = algorithm.with_advantages(batch)
    expected = by_hand(batch, 0.8, decay)
    torch.testing.assert_close(frames["advantage"], expected.flatten(0, 1))
    torch.testing.assert_close(frames["value_target"], (expected + batch["state_value"]).flatten(0, 1))
    torch.testing.assert_close(batch["next", "state_value"], algorithm.critic(batch["next"].clone())["state_value"])


def test_the_first_update_of_ppo_follows_the_policy_gradient(shapes: Spaces) -> None:
    """Ratios are 1 there, so that the loss is minus the mean advantage."""
    algorithm = make(PPO, shapes, advantage=Advantage(normalize=False))
    frames = algorithm.with_advantages(collected(algorithm, shapes))
    losses = algorithm.loss(frames)
    torch.testing.assert_close(losses["loss_objective"], -frames["advantage"].mean())
    assert float(losses["clip_fraction"]) == 0.0
    assert float(losses["kl_approx"]) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(("advantage", "expected"), [(1.0, -1.2), (-1.0, 1.5)])
def test_ratios_are_clipped_where_that_is_worse(shapes: Spaces, advantage: float, expected: float) -> None:
    """min(r A, clip(r, 0.8, 1.2) A) for r = 1.5."""
    algorithm = make(PPO, shapes, advantage=Advantage(normalize=False), proximity=Proximity(clip=0.2))
    frames = algorithm.with_advantages(collected(algorithm, shapes))
    frames["advantage"] = torch.full_like(frames["advantage"], advantage)
    frames["action_log_prob"] -= math.log(1.5)
    losses = algorithm.loss(frames)
    assert float(losses["loss_objective"].detach()) == pytest.approx(expected, rel=1e-4)
    assert float(losses["clip_fraction"]) == 1.0


@pytest.mark.parametrize("kind", [PPO, A2C])
def test_critic_and_entropy_are_weighed(shapes: Spaces, kind: type[OnPolicy]) -> None:
    algorithm = make(kind, shapes, weights=Weights(critic=0.25, entropy=0.01), initial_spread=0.5)
    frames = algorithm.with_advantages(collected(algorithm, shapes))
    losses = algorithm.loss(frames)
    error = frames["value_target"] - frames["state_value"]
    torch.testing.assert_close(losses["loss_critic"].detach(), 0.25 * error.square().mean())
    deviations = algorithm.half_range * 0.5
    entropy = (0.5 * math.log(2.0 * math.pi * math.e) + deviations.log()).sum()
    torch.testing.assert_close(losses["loss_entropy"].detach(), -0.01 * entropy)
    metrics = algorithm.metrics(frames, losses)
    torch.testing.assert_close(metrics["policy/entropy"], entropy)
    assert float(metrics["policy/spread"]) == pytest.approx(0.5)
    parts = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
    torch.testing.assert_close(total(losses), parts)


def test_a2c_follows_the_policy_gradient(shapes: Spaces) -> None:
    algorithm = make(A2C, shapes)
    frames = algorithm.with_advantages(collected(algorithm, shapes))
    loss = algorithm.loss(frames)["loss_objective"]
    expected = -(frames["action_log_prob"].unsqueeze(-1) * frames["advantage"]).mean()
    torch.testing.assert_close(loss.detach(), expected)


def test_every_frame_is_in_one_minibatch(shapes: Spaces) -> None:
    algorithm = make(PPO, shapes)
    frames = TensorDict({"number": torch.arange(10)}, batch_size=10)
    sizes = [list(part["number"]) for part in algorithm.minibatches(frames, 4)]
    assert [len(part) for part in sizes] == [4, 4, 2]
    assert sorted(int(number) for part in sizes for number in part) == list(range(10))


def test_what_is_configured_arrives(shapes: Spaces) -> None:
    ppo = make(
        PPO,
        shapes,
        learning_rates=LearningRates(1e-3, 1e-3),
        advantage=Advantage(discount=0.9, decay=0.8, normalize=False),
        proximity=Proximity(clip=0.3, clip_value=0.4),
    )
    assert float(ppo.loss.clip_epsilon) == pytest.approx(0.3)
    assert float(ppo.loss.clip_value) == pytest.approx(0.4)
    assert not ppo.loss.normalize_advantage
    assert [float(ppo._estimate.gamma), float(ppo._estimate.lmbda)] == pytest.approx([0.9, 0.8])
    for kind, optimizer in (("rmsprop", RMSprop), ("adam", Adam)):
        made = make(A2C, shapes, optimizer=kind, learning_rates=LearningRates(1e-3, 2e-3)).configure_optimizers()
        assert type(made) is optimizer
        assert [group["lr"] for group in made.param_groups] == [1e-3, 2e-3]
        assert [group["name"] for group in made.param_groups] == ["actor", "critic"]


def test_wrong_values_are_refused() -> None:
    with pytest.raises(InputError, match=r"advantage.decay: found 1.5, expected a number from 0 to 1"):
        Advantage(decay=1.5)
    with pytest.raises(InputError, match=r"proximity.minibatch: found 0, expected at least 1"):
        Proximity(minibatch=0)
    with pytest.raises(InputError, match=r"proximity.clip: found 1.0, expected a number between 0 and 1"):
        Proximity(clip=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"final_spread": 0.0}, "final_spread: found 0.0, expected a number above 0"),
        ({"initial_spread": -1.0}, "initial_spread: found -1.0, expected a number above 0"),
    ],
)
def test_a_spread_is_above_zero(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        PPO(**arguments)
    assert str(error.value) == message


def test_rates_fall_to_a_share() -> None:
    with pytest.raises(InputError, match=r"learning_rates.final: found 1.5, expected a number from 0 to 1"):
        LearningRates(final=1.5)

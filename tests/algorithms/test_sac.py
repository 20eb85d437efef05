"""The arithmetic of SAC's losses and targets on tensors that can be worked out by hand."""

import math

import pytest
import torch
from tensordict import TensorDict

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.networks import Network, Spaces
from litgrid.algorithms.sac import SAC, LearningRates, Replay, Temperature
from litgrid.algorithms.sources import SiteYears
from litgrid.errors import InputError
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

NETWORK = Network(hidden=[8, 8], sockets=4)
ENV = EnvConfig(observation="entity")
BATCH = 4


@pytest.fixture
def shapes(small_site: Site) -> Spaces:
    """What an agent reads and writes on the small site."""
    return spaces(SiteYears(small_site).sample(), ENV)


def make(shapes: Spaces, **arguments: object) -> SAC:
    """SAC with its networks, without a trainer."""
    torch.manual_seed(0)
    algorithm = SAC(env=ENV, actor_network=NETWORK, critic_network=NETWORK, **arguments)  # type: ignore[arg-type]
    algorithm.build(shapes)
    return algorithm


def transitions(shapes: Spaces, terminated: bool = False, truncated: bool = False) -> TensorDict:
    """Random transitions."""

    def observation() -> dict[str, torch.Tensor]:
        values = {key: torch.rand(BATCH, *shape) for key, shape in shapes.shapes.items()}
        return values | {"mask": values["mask"] > 0.5}

    def flag(value: bool) -> torch.Tensor:
        return torch.full((BATCH, 1), value)

    after = {
        "reward": torch.randn(BATCH, 1),
        "terminated": flag(terminated),
        "truncated": flag(truncated),
        "done": flag(terminated or truncated),
    }
    following = TensorDict(observation() | after, batch_size=BATCH)
    action = torch.rand(BATCH, shapes.actions)
    return TensorDict(observation() | {"action": action, "next": following}, batch_size=BATCH)


def set_critics(parameters: TensorDict, value: float) -> None:
    """Make critics the same constant everywhere."""
    for key, tensor in parameters.items(include_nested=True, leaves_only=True):
        tensor.data.fill_(value if key[-2:] == ("4", "bias") else 0.0)


@pytest.mark.parametrize(("terminated", "truncated", "bootstrap"), [(0, 0, 1), (0, 1, 1), (1, 0, 0)])
def test_the_critics_target(shapes: Spaces, terminated: int, truncated: int, bootstrap: int) -> None:
    """(Q - r - gamma V)^2 summed over both critics, where V is the smaller target critic; truncation bootstraps."""
    algorithm = make(shapes, discount=0.9, temperature=Temperature(initial=1e-12), critic_loss="l2")
    set_critics(algorithm.loss.qvalue_network_params, 2.0)
    set_critics(algorithm.loss.target_qvalue_network_params, 3.0)
    sample = transitions(shapes, bool(terminated), bool(truncated))
    target = sample["next", "reward"] + 0.9 * 3.0 * bootstrap
    expected = 2.0 * (2.0 - target).square().mean()
    torch.testing.assert_close(algorithm.loss(sample)["loss_qvalue"], expected)


def test_the_target_has_the_entropy_of_the_next_action(shapes: Spaces) -> None:
    algorithm = make(shapes, discount=1.0, temperature=Temperature(initial=0.5), critic_loss="l2")
    set_critics(algorithm.loss.qvalue_network_params, 0.0)
    set_critics(algorithm.loss.target_qvalue_network_params, 0.0)
    sample = transitions(shapes)
    torch.manual_seed(1)
    _, log_prob = algorithm.actor.get_dist(sample["next"]).rsample_and_log_prob()
    expected = 2.0 * (sample["next", "reward"].squeeze(-1) - 0.5 * log_prob).square().mean()
    torch.manual_seed(1)
    torch.testing.assert_close(algorithm.loss(sample)["loss_qvalue"], expected.detach())


def test_the_actor_weighs_entropy_against_value(shapes: Spaces) -> None:
    algorithm = make(shapes, temperature=Temperature(initial=0.5))
    set_critics(algorithm.loss.qvalue_network_params, 2.0)
    losses = algorithm.loss(transitions(shapes))
    torch.testing.assert_close(losses["loss_actor"].detach(), -0.5 * losses["entropy"] - 2.0)


@pytest.mark.parametrize(("per_action", "direction"), [(-100.0, -1), (100.0, 1)])
def test_the_temperature_steers_the_entropy_to_its_target(shapes: Spaces, per_action: float, direction: int) -> None:
    algorithm = make(shapes, temperature=Temperature(initial=0.1, target_entropy_per_action=per_action))
    assert float(algorithm.loss.target_entropy) == per_action * shapes.actions
    losses = algorithm.loss(transitions(shapes))
    expected = math.log(0.1) * (float(losses["entropy"]) - per_action * shapes.actions)
    assert float(losses["loss_alpha"].detach()) == pytest.approx(expected, rel=1e-5)
    losses["loss_alpha"].backward()
    assert torch.sign(algorithm.loss.log_alpha.grad) == -direction  # one step down the gradient moves alpha so


def test_target_critics_follow_slowly(shapes: Spaces) -> None:
    algorithm = make(shapes, target_rate=0.1)
    set_critics(algorithm.loss.qvalue_network_params, 1.0)
    set_critics(algorithm.loss.target_qvalue_network_params, 0.0)
    algorithm.target_critics.step()
    algorithm.target_critics.step()
    bias = algorithm.loss.target_qvalue_network_params["module", "mlp", "4", "bias"]
    torch.testing.assert_close(bias, torch.full_like(bias, 0.1 + 0.9 * 0.1))


def test_what_is_configured_arrives(shapes: Spaces) -> None:
    algorithm = make(
        shapes,
        replay=Replay(capacity=123, batch_size=7),
        learning_rates=LearningRates(actor=1e-3, critic=2e-3, temperature=3e-3),
        discount=0.95,
        seed=5,
    )
    groups = {group["name"]: group for group in algorithm.configure_optimizers().param_groups}
    assert {name: group["lr"] for name, group in groups.items()} == {
        "actor": 1e-3,
        "critic": 2e-3,
        "temperature": 3e-3,
    }
    assert sum(len(group["params"]) for group in groups.values()) == len(
        [parameter for parameter in algorithm.parameters() if parameter.requires_grad]
    )
    assert algorithm.buffer.storage.max_size == 123
    assert algorithm.buffer.batch_size == 7
    assert float(algorithm.loss.value_estimator.gamma) == pytest.approx(0.95)
    assert algorithm.seed == 5
    assert algorithm.actor.module[0].module[0].module.summary.layer.out_features == 4


def test_wrong_values_are_refused() -> None:
    with pytest.raises(InputError, match=r"replay.batch_size: found 0, expected at least 1"):
        Replay(batch_size=0)

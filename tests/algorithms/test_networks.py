"""Actors and critics of both forms of observation."""

import dataclasses
from typing import Any

import pytest
import torch
from tensordict import TensorDict
from torch import Tensor
from torchrl.envs.utils import ExplorationType, set_exploration_type

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.networks import (
    Network,
    Spaces,
    deterministic_action,
    make_actor,
    make_critic,
    make_gaussian_actor,
    make_value,
)
from litgrid.algorithms.sources import SiteYears
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

NETWORK = Network(hidden=[16, 16], sockets=4)


def observe(shapes: Spaces, batch: int = 3) -> TensorDict:
    """Random observations."""
    values = {key: torch.rand(batch, *shape) for key, shape in shapes.shapes.items()}
    if "mask" in values:
        values["mask"] = values["mask"] > 0.5
    return TensorDict(values, batch_size=batch)


@pytest.fixture(params=["flat", "entity"])
def kind(request: pytest.FixtureRequest, small_site: Site) -> Spaces:
    """What an agent reads and writes on the small site."""
    return spaces(SiteYears(small_site).sample(), EnvConfig(observation=request.param))


def test_untrained_policy_rests_in_the_middle_and_explores_widely(kind: Spaces) -> None:
    observation = observe(kind)
    actor = make_actor(kind, NETWORK)
    action = deterministic_action(actor, observation)
    torch.testing.assert_close(action[:, 0], torch.zeros(3), atol=0.05, rtol=0)
    torch.testing.assert_close(action[:, 1:], torch.full((3, kind.actions - 1), 0.5), atol=0.05, rtol=0)
    assert (actor(observation)["scale"] > 0.9).all()


def test_samples_stay_within_the_bounds(kind: Spaces) -> None:
    with set_exploration_type(ExplorationType.RANDOM):
        sample = make_actor(kind, NETWORK)(observe(kind, batch=1000))["action"]
    assert (sample >= kind.low).all()
    assert (sample <= kind.high).all()
    assert sample[:, 0].min() < -0.5  # the battery's range is [-1, 1]
    assert sample[:, 1:].min() >= 0.0


def test_deterministic_action_is_that_of_the_distribution(kind: Spaces) -> None:
    actor, observation = make_actor(kind, NETWORK), observe(kind)
    for parameter in actor.parameters():
        torch.nn.init.normal_(parameter)
    expected = actor.get_dist(observation).deterministic_sample
    torch.testing.assert_close(deterministic_action(actor, observation), expected)


def test_a_critic_gives_one_value(kind: Spaces) -> None:
    values = observe(kind).set("action", torch.rand(3, kind.actions))
    assert make_critic(kind, NETWORK)(values)["state_action_value"].shape == (3, 1)


def test_a_gaussian_policy_starts_in_the_middle_with_the_spread_that_is_asked_for(kind: Spaces) -> None:
    actor, observation = make_gaussian_actor(kind, NETWORK, 0.5), observe(kind)
    action = deterministic_action(actor, observation.clone())
    torch.testing.assert_close(action[:, 0], torch.zeros(3), atol=0.05, rtol=0)
    torch.testing.assert_close(action[:, 1:], torch.full((3, kind.actions - 1), 0.5), atol=0.05, rtol=0)
    distribution = actor.get_dist(observation)
    torch.testing.assert_close(distribution.base_dist.scale[0], torch.tensor([0.5] + [0.25] * (kind.actions - 1)))
    torch.testing.assert_close(distribution.deterministic_sample, action)
    with set_exploration_type(ExplorationType.RANDOM):
        sample = actor(observation)
    torch.testing.assert_close(sample["action_log_prob"], distribution.log_prob(sample["action"]))


def test_a_value_network_gives_one_value(kind: Spaces) -> None:
    assert make_value(kind, NETWORK)(observe(kind))["state_value"].shape == (3, 1)


@pytest.mark.parametrize("observation", ["flat", "entity"])
@pytest.mark.parametrize("sockets", [4, 0])
def test_one_action_for_all_sockets(small_site: Site, observation: Any, sockets: int) -> None:
    """Two actions, which are those of the site; where sockets are not looked at, they are not read either."""
    both = spaces(SiteYears(small_site).sample(), EnvConfig(observation=observation, socket_actions="one"))
    network = dataclasses.replace(NETWORK, sockets=sockets)
    assert (both.low.tolist(), both.high.tolist()) == ([-1.0, 0.0], [1.0, 1.0])
    squashed, gaussian = make_actor(both, network), make_gaussian_actor(both, network, 0.3)
    critic, value = make_critic(both, network), make_value(both, network)
    keys = ["observation"] if observation == "flat" else ["site", "sockets"] if sockets else ["site"]
    assert squashed.in_keys == gaussian.in_keys == value.in_keys == keys
    assert critic.in_keys == [*keys, "action"]
    values = observe(both).select(*keys)
    for actor in (squashed, gaussian):
        acted = actor(values.clone())
        assert acted["action"].shape == acted["loc"].shape == (3, 2)
        assert critic(acted)["state_action_value"].shape == value(acted)["state_value"].shape == (3, 1)
    (spread,) = [value for key, value in gaussian.state_dict().items() if key.endswith("log_spread")]
    assert spread.shape == (2,)


@pytest.fixture
def entities(small_site: Site) -> Spaces:
    """Site and sockets apart."""
    return spaces(SiteYears(small_site).sample(), EnvConfig(observation="entity"))


def permuted(values: TensorDict, order: Tensor) -> TensorDict:
    """The same site with its sockets in another order."""
    action = torch.cat([values["action"][:, :1], values["action"][:, 1:][:, order]], 1)
    return values.clone().update(
        {"sockets": values["sockets"][:, order], "mask": values["mask"][:, order], "action": action}
    )


def test_the_order_of_sockets_does_not_matter(entities: Spaces) -> None:
    actor, critic = make_actor(entities, NETWORK), make_critic(entities, NETWORK)
    values = observe(entities).set("action", torch.rand(3, entities.actions))
    order = torch.randperm(entities.actions - 1)
    value = critic(values.clone())["state_action_value"]
    torch.testing.assert_close(critic(permuted(values, order))["state_action_value"], value)
    expected = permuted(values.set("action", deterministic_action(actor, values)), order)["action"]
    torch.testing.assert_close(deterministic_action(actor, permuted(values, order)), expected)


def test_the_order_of_sockets_does_not_matter_to_a_gaussian_policy_and_its_value(entities: Spaces) -> None:
    actor, value = make_gaussian_actor(entities, NETWORK, 1.0), make_value(entities, NETWORK)
    values = observe(entities)
    values.set("action", deterministic_action(actor, values.clone()))
    order = torch.randperm(entities.actions - 1)
    moved = permuted(values, order)
    torch.testing.assert_close(deterministic_action(actor, moved.clone()), moved["action"])
    torch.testing.assert_close(value(moved)["state_value"], value(values)["state_value"])


def test_actions_of_free_sockets_have_no_value(entities: Spaces) -> None:
    critic = make_critic(entities, NETWORK)
    values = observe(entities).set("action", torch.rand(3, entities.actions))
    other = values.clone()
    other["action"][:, 1:] += ~other["mask"] * 0.5
    expected = critic(values)["state_action_value"]
    torch.testing.assert_close(critic(other)["state_action_value"], expected)


def test_spaces_follow_the_site(small_site: Site) -> None:
    v2g = [dataclasses.replace(group, v2g=True) for group in small_site.fleet.groups]
    site = dataclasses.replace(small_site, fleet=dataclasses.replace(small_site.fleet, groups=v2g))
    assert spaces(SiteYears(small_site).sample(), EnvConfig()).low.tolist() == [-1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert spaces(SiteYears(site).sample(), EnvConfig()).low.tolist() == [-1.0] * 6


@pytest.mark.parametrize(("batteries", "sockets"), [(3, 2), (5, 0), (0, 4)])
def test_any_number_of_batteries(batteries: int, sockets: int) -> None:
    """A district has a battery in each building or in none, and chargers or none."""
    actions = batteries + sockets
    shapes = {"site": (6,), "sockets": (sockets, 4), "mask": (sockets,)}
    many = Spaces(shapes, torch.full((actions,), -1.0), torch.ones(actions))
    actor, critic = make_actor(many, NETWORK), make_critic(many, NETWORK)
    values = actor(observe(many))
    assert values["action"].shape == (3, actions)
    value = critic(values)["state_action_value"]
    (gradient,) = torch.autograd.grad(value.sum() + values["loc"].sum(), values["parameters"])
    assert torch.isfinite(value).all()
    assert gradient.ne(0.0).any()
    for battery in range(batteries):  # each one counts, for better or worse
        other = values.clone()
        other["action"][:, battery] += 0.5
        assert critic(other)["state_action_value"].ne(value).all()

"""The networks: a stochastic actor within the bounds of the action, and a critic, for both forms of observation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from tensordict import TensorDict
from tensordict.nn import NormalParamExtractor, TensorDictModule, TensorDictSequential
from torch import Tensor, nn
from torchrl.envs import EnvBase
from torchrl.modules import IndependentNormal, ProbabilisticActor, TanhNormal, ValueOperator

from litgrid.sim.env import WindowEnv

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}


@dataclass(frozen=True)
class Network:
    """Layers of an actor or a critic.

    Args:
        hidden: width of each hidden layer.
        sockets: width of the layer that all sockets share (``observation: entity`` alone); with 0 sockets are not
            looked at, which is faster, and an actor tells all of them the same.
        activation: between the layers.
    """

    hidden: list[int] = field(default_factory=lambda: [256, 256])
    sockets: int = 32
    activation: Literal["relu", "silu", "tanh"] = "relu"


@dataclass(frozen=True)
class Spaces:
    """What an agent reads and writes.

    Attributes:
        shapes: name of each observation, and its shape without the batch: ``observation``, or ``site``, ``sockets``
            and ``mask``.
        low: [K + N], lowest action of the K batteries and the N sockets, of all sockets together, or of none.
        high: [K + N], highest action.
        together: one action is that of all sockets, or none is.
    """

    shapes: dict[str, tuple[int, ...]]
    low: Tensor
    high: Tensor
    together: bool = False

    @classmethod
    def of(cls, env: EnvBase) -> Spaces:
        """Return those of an environment."""
        shapes = {key: tuple(spec.shape[1:]) for key, spec in env.observation_spec.items()}
        bounds = env.action_spec.space
        together = isinstance(env, WindowEnv) and env.config.socket_actions != "each"
        return cls(shapes, bounds.low[0].clone(), bounds.high[0].clone(), together)

    @property
    def actions(self) -> int:
        """Number of actions K + N."""
        return len(self.low)

    @property
    def batteries(self) -> int:
        """Number of batteries K, where sockets are observed apart."""
        return self.actions - self.shapes["sockets"][0]

    @property
    def by_socket(self) -> bool:
        """Whether sockets are observed apart and have an action each."""
        return "sockets" in self.shapes and not self.together

    def vector(self, network: Network) -> str:
        """Name of the one vector that a network reads where it does not look at sockets."""
        return "site" if "sockets" in self.shapes and not network.sockets else "observation"


class Last(nn.Linear):
    """A last layer, in full precision where the others are in mixed precision: values and actions keep their digits."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [B, I] to [B, O] in the precision of the weights."""
        with torch.autocast(inputs.device.type, enabled=False):
            return super().forward(inputs.to(self.weight.dtype))


def small_linear(inputs: int, outputs: int) -> Last:
    """Make a layer that puts out nearly 0 at first, for actors: a hundred times smaller than usual, without bias."""
    layer = Last(inputs, outputs)
    with torch.no_grad():
        layer.weight.mul_(0.01)
        layer.bias.zero_()
    return layer


class MLP(nn.Sequential):
    """Linear layers with an activation between them; the last one is given."""

    def __init__(self, inputs: int, network: Network, last: nn.Linear) -> None:
        layers: list[nn.Module] = []
        for size_in, size_out in pairwise([inputs, *network.hidden]):
            layers += [nn.Linear(size_in, size_out), ACTIVATIONS[network.activation]()]
        super().__init__(*layers, last)


class FlatCritic(nn.Module):
    """An MLP of (observation, action)."""

    def __init__(self, spaces: Spaces, network: Network) -> None:
        super().__init__()
        (observed,) = spaces.shapes[spaces.vector(network)]
        self.mlp = MLP(observed + spaces.actions, network, Last(network.hidden[-1], 1))

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        """Map [B, O] and [B, K + N] to [B, 1]."""
        value: Tensor = self.mlp(torch.cat([observation, action], -1))
        return value


class Summary(nn.Module):
    """Sockets in one vector that does not depend on their order: a layer that they share, averaged (deep sets)."""

    def __init__(self, features: int, network: Network) -> None:
        super().__init__()
        self.layer = nn.Linear(features, network.sockets)
        self.activation = ACTIVATIONS[network.activation]()

    def forward(self, sockets: Tensor) -> Tensor:
        """Map [B, N, G] to [B, H]; nothing to summarise is 0."""
        each: Tensor = self.activation(self.layer(sockets))
        summary: Tensor = each.mean(-2) if each.shape[-2] else each.sum(-2)
        return summary


class EntityActor(nn.Module):
    """One network for the site, and one that all sockets share, whatever their number.

    The site's network sees the site's features and a summary of the sockets; its output decides for the batteries,
    and tells each socket what the site wants.

    Args:
        spaces: what it reads and writes.
        network: its layers.
        outputs: parameters P of an action's distribution: 1 (mean), or 2 (mean and spread).
    """

    def __init__(self, spaces: Spaces, network: Network, outputs: int) -> None:
        super().__init__()
        (site,), (_, features) = spaces.shapes["site"], spaces.shapes["sockets"]
        self.outputs = outputs
        self.summary = Summary(features, network)
        self.batteries = spaces.batteries
        last = small_linear(network.hidden[-1], outputs * self.batteries + network.sockets)
        self.site = MLP(site + network.sockets, network, last)
        self.socket = nn.Linear(features, network.sockets)
        self.activation = ACTIVATIONS[network.activation]()
        self.head = small_linear(network.sockets, outputs)

    def forward(self, site: Tensor, sockets: Tensor) -> Tensor:
        """Map the observation to the parameters [B, P (K + N)] of all actions: all means, then all spreads."""
        trunk = self.site(torch.cat([site, self.summary(sockets)], -1))
        batteries, wish = trunk.tensor_split((self.outputs * self.batteries,), -1)
        each = self.head(self.activation(self.socket(sockets) + wish.unsqueeze(-2)))
        parameters = [batteries.unflatten(-1, (self.outputs, self.batteries)), each.transpose(-1, -2)]
        return torch.cat(parameters, -1).flatten(-2)


class EntityCritic(nn.Module):
    """A summary of the sockets and their actions, then an MLP. Actions of free sockets do nothing and don't count."""

    def __init__(self, spaces: Spaces, network: Network) -> None:
        super().__init__()
        (site,), (_, features) = spaces.shapes["site"], spaces.shapes["sockets"]
        self.batteries = spaces.batteries
        self.summary = Summary(features + 1, network)
        self.mlp = MLP(site + self.batteries + network.sockets, network, Last(network.hidden[-1], 1))

    def forward(self, site: Tensor, sockets: Tensor, mask: Tensor, action: Tensor) -> Tensor:
        """Map observation, mask of connected vehicles [B, N] and action [B, K + N] to [B, 1]."""
        batteries, each = action.tensor_split((self.batteries,), -1)
        summary = self.summary(torch.cat([sockets, (each * mask).unsqueeze(-1)], -1))
        value: Tensor = self.mlp(torch.cat([site, batteries, summary], -1))
        return value


class Gaussian(nn.Module):
    """Means and spreads of a Gaussian within bounds; the spread does not depend on the observation.

    Means are squashed into the bounds by tanh: beyond them, no draw would change anything, and nothing would lead the
    policy back. What is drawn beyond the bounds is clipped by the environment. On ``observation: entity`` all sockets
    share a spread, whatever their number.

    Args:
        spaces: what the policy reads and writes.
        spread: initial deviation, as a share of half an action's range.
    """

    group: Tensor
    middle: Tensor
    half_range: Tensor

    def __init__(self, spaces: Spaces, spread: float) -> None:
        super().__init__()
        actions = torch.arange(spaces.actions)
        group = actions.clamp(max=spaces.batteries) if spaces.by_socket else actions
        self.register_buffer("group", group, persistent=False)
        self.register_buffer("middle", (spaces.high + spaces.low) / 2.0, persistent=False)
        self.register_buffer("half_range", (spaces.high - spaces.low) / 2.0, persistent=False)
        self.log_spread = nn.Parameter(torch.full((int(group.max()) + 1,), math.log(spread)))

    def forward(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Map outputs [B, K + N] to means and deviations, both [B, K + N]."""
        loc = self.middle + self.half_range * torch.tanh(outputs)
        return loc, (self.half_range * self.log_spread.exp()[self.group]).expand_as(loc)


class EntityMLP(nn.Module):
    """A summary of the sockets, then an MLP: V(s), or what concerns the sockets only all together.

    Args:
        spaces: what is observed.
        network: its layers.
        last: the last one.
        actions: how many of them the MLP is given, for Q(s, a).
    """

    def __init__(self, spaces: Spaces, network: Network, last: nn.Linear, actions: int = 0) -> None:
        super().__init__()
        (site,), (_, features) = spaces.shapes["site"], spaces.shapes["sockets"]
        self.summary = Summary(features, network)
        self.mlp = MLP(site + network.sockets + actions, network, last)

    def forward(self, site: Tensor, sockets: Tensor, *action: Tensor) -> Tensor:
        """Map [B, F], [B, N, G] and the actions, if it is given them, to the outputs of the last layer."""
        outputs: Tensor = self.mlp(torch.cat([site, self.summary(sockets), *action], -1))
        return outputs


def _observer(spaces: Spaces, network: Network, last: nn.Linear) -> tuple[nn.Module, list[str]]:
    """Build a network of the whole observation that ends in a layer, and name what it reads."""
    if "sockets" in spaces.shapes and network.sockets:
        return EntityMLP(spaces, network, last), ["site", "sockets"]
    key = spaces.vector(network)
    return MLP(spaces.shapes[key][0], network, last), [key]


def _body(spaces: Spaces, network: Network, outputs: int) -> TensorDictModule:
    """Build the part of a policy that all distributions share, with ``outputs`` parameters for each action."""
    if spaces.by_socket:
        body: nn.Module = EntityActor(spaces, network, outputs)
        return TensorDictModule(body, in_keys=["site", "sockets"], out_keys=["parameters"])
    body, keys = _observer(spaces, network, small_linear(network.hidden[-1], outputs * spaces.actions))
    return TensorDictModule(body, in_keys=keys, out_keys=["parameters"])


def _head(module: nn.Module) -> TensorDictModule:
    return TensorDictModule(module, in_keys=["parameters"], out_keys=["loc", "scale"])


def make_actor(spaces: Spaces, network: Network) -> ProbabilisticActor:
    """Build a policy: observation to a Gaussian squashed by tanh into the action's bounds, for SAC.

    The last layers start small, so that the first policy acts in the middle of each range (batteries rest) with a
    wide spread, whatever it observes.

    Returns:
        A TensorDict module that reads the observation and writes ``loc``, ``scale`` and ``action`` [B, K + N].
    """
    return ProbabilisticActor(
        TensorDictSequential(_body(spaces, network, 2), _head(NormalParamExtractor())),
        in_keys=["loc", "scale"],
        distribution_class=TanhNormal,
        distribution_kwargs={"low": spaces.low, "high": spaces.high},
    )


def make_gaussian_actor(spaces: Spaces, network: Network, spread: float) -> ProbabilisticActor:
    """Build a policy: observation to a ``Gaussian``, for PPO and A2C.

    Args:
        spaces: what it reads and writes.
        network: its layers; the last one starts small, as that of ``make_actor``.
        spread: initial deviation, as a share of half an action's range.

    Returns:
        A TensorDict module that reads the observation and writes ``loc``, ``scale``, ``action`` [B, K + N] and
        ``action_log_prob`` [B].
    """
    return ProbabilisticActor(
        TensorDictSequential(_body(spaces, network, 1), _head(Gaussian(spaces, spread))),
        in_keys=["loc", "scale"],
        distribution_class=IndependentNormal,
        return_log_prob=True,
    )


def deterministic_action(actor: ProbabilisticActor, observation: TensorDict) -> Tensor:
    """Return the action [B, K + N] of the Gaussian's mean.

    ``TanhNormal.deterministic_sample`` is the same; making a distribution takes longer than all the rest of a step.
    """
    *network, head = actor.module
    for module in network:
        observation = module(observation)
    if head.distribution_class is not TanhNormal:
        mean: Tensor = observation["loc"]
        return mean
    low, high = head.distribution_kwargs["low"], head.distribution_kwargs["high"]
    share: Tensor = (torch.tanh(observation["loc"]) + 1.0) / 2.0
    return torch.lerp(low, high, share.to(low))  # mixed precision makes it half as precise


def make_value(spaces: Spaces, network: Network) -> ValueOperator:
    """Build V(s).

    Returns:
        A TensorDict module that reads the observation and writes ``state_value`` [B, 1].
    """
    value, keys = _observer(spaces, network, Last(network.hidden[-1], 1))
    return ValueOperator(value, in_keys=keys)


def make_critic(spaces: Spaces, network: Network) -> ValueOperator:
    """Build Q(s, a).

    Returns:
        A TensorDict module that reads observation and ``action`` and writes ``state_action_value`` [B, 1].
    """
    if spaces.by_socket:
        return ValueOperator(EntityCritic(spaces, network), in_keys=["site", "sockets", "mask", "action"])
    if "sockets" in spaces.shapes and network.sockets:
        value = EntityMLP(spaces, network, Last(network.hidden[-1], 1), spaces.actions)
        return ValueOperator(value, in_keys=["site", "sockets", "action"])
    return ValueOperator(FlatCritic(spaces, network), in_keys=[spaces.vector(network), "action"])

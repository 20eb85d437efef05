"""The door for gymnasium: one site as an ``Env``, many as a ``VectorEnv``, both on ``SiteEnv``.

``import litgrid`` registers them as ``litgrid/Site-v0``; docs/gymnasium.md says how they are used.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict, TensorDictBase
from torch import Tensor

from litgrid.errors import InputError
from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.action_maps import Rule
from litgrid.sim.env import EnvConfig, SiteEnv, make_env
from litgrid.sim.spaces import action_space, observation_space
from litgrid.site.site import Site, read_site

SITE = Path("configs/sites/iquitos.yaml")
OLD = int(gymnasium.__version__.split(".")[0]) < 1
"""gymnasium 0.28 and 0.29: other vector environments than since 1.0."""
Autoreset = Literal["NextStep", "SameStep"]
Tree = dict[str, Any]
"""Arrays [B, ...] by name, nested."""

VectorEnv: Any = import_module("gymnasium.experimental.vector" if OLD else "gymnasium.vector").VectorEnv


def _array(values: Tensor) -> NDArray[Any]:
    """A copy in float32, or int8 for what is true or false."""
    return values.cpu().numpy().astype(np.int8 if values.dtype == torch.bool else np.float32)


def _of(tree: Any, site: int) -> Any:
    """One site's values; numbers as Python's."""
    if isinstance(tree, dict):
        return {key: _of(values, site) for key, values in tree.items()}
    return tree[site].item() if tree.ndim == 1 else tree[site]


class _Sites:
    """``SiteEnv`` in numpy: what the two environments of gymnasium have in common."""

    def __init__(self, env: SiteEnv) -> None:
        self.env = env
        self.observation_space = observation_space(env)
        self.action_space = action_space(env)
        self._seeded = False

    def reset(self, seed: int | None, draw: np.random.Generator) -> Any:
        """Observations [B, ...] of new windows; seeded windows when a seed is given, and the first time."""
        if seed is not None or not self._seeded:
            self.env.set_seed(int(draw.integers(2**63)))
            self._seeded = True
        return self._observation(self.env.reset())

    def step(self, action: Any) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], Tree]:
        """Observations [B, ...], rewards [B], whether the window has ended [B], costs and flows [B, ...]."""
        given = torch.as_tensor(np.asarray(action, dtype=np.float32), device=self.env.device)
        if given.shape != self.env.action_spec.shape:
            raise ValueError(f"action: found shape {[*given.shape]}, expected {[*self.env.action_spec.shape]}")
        after = self.env.step(TensorDict({"action": given}, batch_size=self.env.batch_size))["next"]
        step = {"costs": self.env.costs, "flows": self.env.flows}
        info = {
            name: {key: _array(value) for key, value in of._asdict().items()}
            for name, of in step.items()
            if of is not None
        }
        return self._observation(after), _array(after["reward"][:, 0]), after["truncated"][:, 0].cpu().numpy(), info

    def _observation(self, tensordict: TensorDictBase) -> Any:
        if self.env.config.observation == "flat":
            return _array(tensordict["observation"])
        return {key: _array(tensordict[key]) for key in ("site", "sockets", "mask")}


class GymSite(gymnasium.Env[Any, Any]):
    """One site; the arguments are those of ``make_site``.

    Observations are float32: a vector, or with ``observation: entity`` a dict of ``site`` [F], ``sockets`` [N, G] and
    ``mask`` [N]. The action [1 + N] has the battery first. An episode ends truncated, never terminated. ``info`` of a
    step holds ``costs`` (as ``objective.Costs``, in currency and kg) and ``flows`` (as ``physics.Flows``, in kWh); it
    is empty where steps are compiled.
    """

    metadata: Tree = {"render_modes": []}  # noqa: RUF012 (gymnasium's own way)

    def __init__(self, scenarios: ScenarioSet, config: EnvConfig, device: str, rule: Rule | None) -> None:
        self._sites = _Sites(make_env(scenarios, 1, config, device, rule=rule))
        self.observation_space = self._sites.observation_space
        self.action_space = self._sites.action_space

    @property
    def site_env(self) -> SiteEnv:
        """The TorchRL environment that does the work."""
        return self._sites.env

    def reset(self, *, seed: int | None = None, options: Tree | None = None) -> tuple[Any, Tree]:
        """Start a new window; with a seed, the same ones again."""
        super().reset(seed=seed, options=options)
        return _of(self._sites.reset(seed, self.np_random), 0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Tree]:
        """Move the site by one step."""
        observation, reward, truncated, info = self._sites.step(np.asarray(action)[None])
        return _of(observation, 0), float(reward[0]), False, bool(truncated[0]), _of(info, 0)


class GymSites(VectorEnv):
    """B sites in one tensor program; the arguments are those of ``make_sites``, values those of ``GymSite``, [B, ...].

    Windows are of one length and start together, so they end together, too. What follows an end is autoreset:

    * ``SameStep``, the only way of gymnasium 0.28 and 0.29: the step that ends a window returns the first observations
      of the next; the last ones are in ``info`` as ``final_obs`` (before 1.0 ``final_observation``), and the step's
      costs and flows as ``final_info``.
    * ``NextStep``, the default since gymnasium 1.0: the step after the end ignores its action and returns the first
      observations with rewards of 0.
    """

    def __init__(
        self,
        num_envs: int,
        scenarios: ScenarioSet,
        config: EnvConfig,
        device: str,
        *,
        rule: Rule | None,
        autoreset_mode: Autoreset,
    ) -> None:
        self.num_envs = num_envs
        self._sites = _Sites(make_env(scenarios, num_envs, config, device, rule=rule))
        self.single_observation_space = self._sites.observation_space
        self.single_action_space = self._sites.action_space
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.autoreset_mode = autoreset_mode
        self.metadata: Tree = {"render_modes": []} | _autoreset_metadata(autoreset_mode)
        self._ended = False

    @property
    def site_env(self) -> SiteEnv:
        """The TorchRL environment that does the work."""
        return self._sites.env

    def reset(self, *, seed: int | None = None, options: Tree | None = None) -> tuple[Any, Tree]:
        """Start new windows; with a seed, the same ones again."""
        super().reset(seed=seed, options=options)
        self._ended = False
        return self._sites.reset(seed, self.np_random), {}

    def step(self, actions: Any) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], Tree]:
        """Move all sites by one step."""
        never = np.zeros(self.num_envs, dtype=bool)
        if self._ended:  # with NextStep alone
            return self.reset()[0], np.zeros(self.num_envs, dtype=np.float32), never, never.copy(), {}
        observation, reward, truncated, info = self._sites.step(actions)
        if not truncated.any():
            return observation, reward, never, truncated, self._masked(info)
        if self.autoreset_mode == "SameStep":
            return self.reset()[0], reward, never, truncated, self._final(observation, info)
        self._ended = True
        return observation, reward, never, truncated, self._masked(info)

    def _final(self, observation: Any, info: Tree) -> Tree:
        """What ``SameStep`` says of the windows' last step, in the installed gymnasium's form."""
        sites = range(self.num_envs)
        last = np.array([None] * self.num_envs)
        last[:] = [_of(observation, site) for site in sites]
        if not OLD:
            return self._masked({"final_obs": last, "final_info": info})
        return self._masked({"final_observation": last, "final_info": np.array([_of(info, site) for site in sites])})

    def _masked(self, info: Tree) -> Tree:
        """Add gymnasium's masks ``_key`` [B] of the sites that have a value: here always all of them."""
        whole = {key: self._masked(value) if isinstance(value, dict) else value for key, value in info.items()}
        return whole | {f"_{key}": np.ones(self.num_envs, dtype=bool) for key in info}


def _autoreset_metadata(mode: Autoreset) -> Tree:
    """The mode, which gymnasium has a name for since 1.1."""
    modes = getattr(gymnasium.vector, "AutoresetMode", None)
    return {} if modes is None else {"autoreset_mode": modes(mode)}


def _scenarios(site: Site | str | Path, split: Split, folder: str | Path, scenarios: ScenarioSet | None) -> ScenarioSet:
    if scenarios is not None:
        return scenarios
    return store.load(site if isinstance(site, Site) else read_site(site), split, Path(folder))


def make_site(
    site: Site | str | Path = SITE,
    *,
    split: Split = "train",
    folder: str | Path = store.FOLDER,
    scenarios: ScenarioSet | None = None,
    config: EnvConfig | None = None,
    device: str = "cpu",
    rule: Rule | None = None,
    render_mode: None = None,
) -> GymSite:
    """One site: what ``gymnasium.make("litgrid/Site-v0", ...)`` calls.

    Args:
        site: what stands there, or its YAML file.
        split: which of its years.
        folder: where scenario sets are kept; what is missing is built.
        scenarios: years in place of those of ``site``, ``split`` and ``folder``.
        config: windows, observation, actions, reward; ``EnvConfig()`` by default.
        device: where the simulator computes; observations and actions are numpy's.
        rule: of ``config.battery: residual``, such as ``litgrid.controllers.make(config.rule, scenarios).act``.
        render_mode: None, there is nothing to render.

    Raises:
        InputError: the site, its scenarios or the config are wrong.
        TypeError: a render mode, so that callers who only try one go on without.
    """
    if render_mode is not None:
        raise TypeError(f"render_mode: found {render_mode!r}, expected None: a site can't be rendered")
    return GymSite(_scenarios(site, split, folder, scenarios), config or EnvConfig(), device, rule)


def make_sites(
    num_envs: int = 1,
    site: Site | str | Path = SITE,
    *,
    split: Split = "train",
    folder: str | Path = store.FOLDER,
    scenarios: ScenarioSet | None = None,
    config: EnvConfig | None = None,
    device: str = "cpu",
    rule: Rule | None = None,
    autoreset_mode: Autoreset | None = None,
    max_episode_steps: None = None,
) -> GymSites:
    """Many sites: what ``gymnasium.make_vec("litgrid/Site-v0", num_envs, ...)`` calls.

    Args:
        num_envs: sites side by side, B.
        site: as for ``make_site``, like all that follow up to ``rule``.
        split: which of its years.
        folder: where scenario sets are kept.
        scenarios: years in place of those of ``site``, ``split`` and ``folder``.
        config: windows, observation, actions, reward.
        device: where the simulator computes.
        rule: of ``config.battery: residual``.
        autoreset_mode: what follows the end of a window (``GymSites``); by default the installed gymnasium's own.
        max_episode_steps: None, ``config.window_hours`` is an episode's length (gymnasium passes the argument).

    Raises:
        InputError: the site, its scenarios or the config are wrong.
    """
    if max_episode_steps is not None:
        raise InputError(f"max_episode_steps: found {max_episode_steps}, expected None and a config with window_hours")
    mode = autoreset_mode or ("SameStep" if OLD else "NextStep")
    years = _scenarios(site, split, folder, scenarios)
    return GymSites(num_envs, years, config or EnvConfig(), device, rule=rule, autoreset_mode=mode)

"""The environments that agents learn in, with the rule that they start from where the configuration names one."""

from __future__ import annotations

import torch
from torchrl.envs import EnvBase

from litgrid import controllers
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim import env
from litgrid.sim.action_maps import Rule
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import Scenarios


def rule_of(config: EnvConfig, scenarios: Scenarios) -> Rule | None:
    """Return the rule that agents of a configuration change, None where they change none."""
    if config.battery != "residual" or not isinstance(scenarios, ScenarioSet):
        return None
    return controllers.rule(config.rule, scenarios)


def make_env(
    scenarios: Scenarios, envs: int, config: EnvConfig, device: torch.device | str = "cpu", seed: int = 0
) -> EnvBase:
    """Return what ``sim.env.make_env`` makes, the configured rule included."""
    return env.make_env(scenarios, envs, config, device, seed, rule=rule_of(config, scenarios))

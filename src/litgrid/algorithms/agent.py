"""Trained agents, from the files of a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser
from torch import Tensor

from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.environments import make_env, rule_of
from litgrid.algorithms.networks import Spaces
from litgrid.algorithms.policy import AgentController
from litgrid.algorithms.sources import Source
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.action_maps import Rule
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import Scenarios
from litgrid.site.rules import Rules
from litgrid.site.site import Objective, replace

CONFIG = "config.yaml"
ANY_SOCKETS = "agents with observation: entity fit any number of sockets"
UNTRAINED = "untrained.ckpt"  # beside a run's other checkpoints: its agent before the first update


def load_agent(checkpoint: Path, source: Source | None = None) -> AgentController:
    """Load a trained agent.

    Args:
        checkpoint: a file in the folder ``checkpoints`` of a run, whose ``config.yaml`` says what was trained.
        source: of what it shall control; by default that which it was trained on.

    Raises:
        InputError: the file or its configuration is missing or no checkpoint, or its policy does not fit.
    """
    weights = read_weights(checkpoint)
    algorithm = _algorithm(checkpoint)
    source = source or source_of(checkpoint)
    actor = algorithm.make_actor(spaces(source.sample(), algorithm.env_config))
    expected = actor.state_dict()
    for key, value in expected.items():
        if key not in weights or weights[key].shape != value.shape:
            found = _trained_on(checkpoint)
            sockets = "" if algorithm.env_config.observation == "entity" else f"; {ANY_SOCKETS}"
            raise InputError(
                f"{checkpoint}: found an agent for {found}, expected one that fits {source.about}{sockets}"
            )
    actor.load_state_dict({key: weights[key] for key in expected})
    name = _read_config(checkpoint)[1].get("label") or algorithm.name
    rule, numbers = _rule(checkpoint, source.sample(), algorithm.env_config)
    return AgentController(name, algorithm.seed, actor, algorithm.env_config, rule, numbers=numbers)


def _rule(checkpoint: Path, scenarios: Scenarios, config: EnvConfig) -> tuple[Rule | None, Rules | None]:
    """Return the rule that an agent changes: for these scenarios' site, with the numbers of the run's own."""
    if config.battery != "residual":
        return None, None
    trained = source_of(checkpoint).sample()
    assert isinstance(trained, ScenarioSet)
    assert isinstance(scenarios, ScenarioSet)
    numbers = trained.site.rules
    site = replace(scenarios.site, rules=numbers)
    return rule_of(config, dataclasses.replace(scenarios, site=site)), numbers


def load_untrained(checkpoint: Path, source: Source | None = None) -> AgentController:
    """Load an agent as it was before its first update, from the run that a checkpoint belongs to."""
    agent = load_agent(checkpoint.with_name(UNTRAINED), source)
    agent.name = f"{agent.name}_untrained"
    return agent


def source_of(checkpoint: Path) -> Source:
    """Return the source of the scenarios that a checkpoint's agent was trained on."""
    read_weights(checkpoint)
    path, config = _read_config(checkpoint)
    data = _instantiate(path, "data", ScenarioData, config["data"])
    assert isinstance(data, ScenarioData)
    return data.source


def spaces(scenarios: Scenarios, config: EnvConfig) -> Spaces:
    """Return what an agent reads and writes where these scenarios are from."""
    config = dataclasses.replace(config, window_hours=0, backend="litgrid", compile=False)
    return Spaces.of(make_env(scenarios, 1, config))


def read_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Return a checkpoint's weights of the actor.

    Raises:
        InputError: there is no such file, or it is no checkpoint.
    """
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: found no file, expected a checkpoint (runs/.../checkpoints/best.ckpt)")
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = content["state_dict"]
    except Exception as error:
        raise InputError(f"{checkpoint}: found something else, expected a checkpoint that `fit` wrote") from error
    return {key.removeprefix("actor."): value for key, value in state.items() if key.startswith("actor.")}


def _read_config(checkpoint: Path) -> tuple[Path, dict[str, Any]]:
    """Return the configuration of the run that a checkpoint belongs to, and its file."""
    path = checkpoint.resolve().parent.parent / CONFIG
    if not path.is_file():
        raise InputError(f"{checkpoint}: found no {path}, expected the configuration of the run that it belongs to")
    return path, yaml.safe_load(path.read_text(encoding="utf-8"))


def objective_of(checkpoint: Path) -> Objective:
    """Return the objective that a checkpoint's agent was trained for; the data need not be there any more."""
    path, config = _read_config(checkpoint)
    data = config["data"]
    found = _instantiate(path, "objective", Objective, (data.get("citylearn") or data["site"]).get("objective"))
    assert isinstance(found, Objective)
    return found.with_preset()


def _algorithm(checkpoint: Path) -> Algorithm:
    """Return the untrained algorithm of a checkpoint's run."""
    path, config = _read_config(checkpoint)
    algorithm = _instantiate(path, "model", Algorithm, config["model"])
    assert isinstance(algorithm, Algorithm)
    algorithm.seed = config["seed_everything"]
    return algorithm


def _trained_on(checkpoint: Path) -> str:
    """Return the name of what a checkpoint's agent was trained on, which need not be there any more."""
    data = _read_config(checkpoint)[1]["data"]
    return Path(data["citylearn"]["path"]).name if data.get("citylearn") else str(data["site"]["name"])


def _instantiate(path: Path, key: str, kind: type, values: object) -> object:
    """Make an object of a part of a run's configuration.

    Raises:
        InputError: the part is wrong, or names a file that is missing.
    """
    parser = ArgumentParser(exit_on_error=False)
    if kind is Algorithm:
        parser.add_subclass_arguments(kind, key)
    else:
        parser.add_class_arguments(kind, key)
    try:
        return parser.instantiate(parser.parse_object({key: values or {}}))[key]
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error

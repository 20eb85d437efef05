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
from litgrid.algorithms.networks import Spaces
from litgrid.algorithms.policy import AgentController
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.sim.env import EnvConfig, SiteEnv
from litgrid.site.site import Site

CONFIG = "config.yaml"
UNTRAINED = "untrained.ckpt"  # beside a run's other checkpoints: its agent before the first update


def load_agent(checkpoint: Path, site: Site | None = None) -> AgentController:
    """Load a trained agent.

    Args:
        checkpoint: a file in the folder ``checkpoints`` of a run, whose ``config.yaml`` says what was trained.
        site: that it shall control; by default the one that it was trained on.

    Raises:
        InputError: the file or its configuration is missing or no checkpoint, or its policy does not fit the site.
    """
    weights = read_weights(checkpoint)
    algorithm, trained_on = _read_config(checkpoint)
    site = site or trained_on
    actor = algorithm.make_actor(spaces(site, algorithm.env_config))
    expected = actor.state_dict()
    for key, value in expected.items():
        if key not in weights or weights[key].shape != value.shape:
            found = f"{trained_on.name} with {trained_on.fleet.sockets} sockets"
            right = f"{site.name} with {site.fleet.sockets} sockets"
            raise InputError(f"{checkpoint}: found an agent for {found}, expected one that fits {right}")
    actor.load_state_dict({key: weights[key] for key in expected})
    return AgentController(algorithm.name, algorithm.seed, actor, algorithm.env_config)


def load_untrained(checkpoint: Path, site: Site | None = None) -> AgentController:
    """Load an agent as it was before its first update, from the run that a checkpoint belongs to."""
    agent = load_agent(checkpoint.with_name(UNTRAINED), site)
    agent.name = f"{agent.name}_untrained"
    return agent


def site_of(checkpoint: Path) -> Site:
    """Return the site that a checkpoint's agent was trained on."""
    read_weights(checkpoint)
    return _read_config(checkpoint)[1]


def spaces(site: Site, config: EnvConfig) -> Spaces:
    """Return what an agent reads and writes on a site."""
    day = random_scenarios(site, scenarios=1, steps=site.steps_per_day)
    return Spaces.of(SiteEnv(day, 1, dataclasses.replace(config, window_hours=0)))


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


def _read_config(checkpoint: Path) -> tuple[Algorithm, Site]:
    """Return the untrained algorithm and the site of the run that a checkpoint belongs to."""
    path = checkpoint.resolve().parent.parent / CONFIG
    if not path.is_file():
        raise InputError(f"{checkpoint}: found no {path}, expected the configuration of the run that it belongs to")
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Algorithm, "model")
    parser.add_class_arguments(Site, "site")
    try:
        values = {"model": config["model"], "site": config["data"]["site"]}
        made = parser.instantiate(parser.parse_object(values))
        made.model.seed = config["seed_everything"]
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    return made.model, made.site

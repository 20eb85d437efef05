"""Stable-Baselines3 on the benchmark's site, at the sizes of our algorithms, on CityLearn and on our simulator."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import time
from typing import Any

from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.on_policy import OnPolicy
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.sac import SAC
from litgrid.cli.bench_tools import Figures
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.gym import make_site


def measure(algorithm: Algorithm, scenarios: ScenarioSet, seconds: float) -> list[Figures]:
    """One row for each back end that is installed; none without Stable-Baselines3."""
    if importlib.util.find_spec("stable_baselines3") is None:
        return []
    backends = ["litgrid", *(["citylearn"] if importlib.util.find_spec("citylearn") else [])]
    return [_row(algorithm, scenarios, backend, seconds) for backend in backends]


def _row(algorithm: Algorithm, scenarios: ScenarioSet, backend: Any, seconds: float) -> Figures:
    window = 0 if backend == "citylearn" else algorithm.env_config.window_hours  # its resets take seconds
    config = dataclasses.replace(algorithm.env_config, backend=backend, window_hours=window)
    model = _model(algorithm, make_site(scenarios=scenarios, config=config))
    batch = algorithm.collection.frames_per_batch
    warmup = algorithm.replay.warmup_frames + 1 if isinstance(algorithm, SAC) else batch
    model.learn(warmup)
    frames, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        part = 16 if isinstance(algorithm, SAC) else batch
        model.learn(part, reset_num_timesteps=False)
        frames += part
    rate = frames / (time.perf_counter() - start)
    return {
        "algorithm": algorithm.name,
        "implementation": "sb3",
        "backend": backend,
        "device": "cpu",
        "precision": "32-true",
        "envs": 1,
        "frames_per_second": rate,
        "updates_per_second": rate * _updates(algorithm) / batch,
    }


def _updates(algorithm: Algorithm) -> int:
    """Updates after a batch of frames."""
    if isinstance(algorithm, PPO):
        minibatches = -(-algorithm.collection.frames_per_batch // algorithm.proximity.minibatch)
        return algorithm.proximity.epochs * minibatches
    return 1


def _model(algorithm: Algorithm, env: Any) -> Any:
    """The learner with an algorithm's settings."""
    sb3 = importlib.import_module("stable_baselines3")
    activations = importlib.import_module("torch.nn")
    policy = "MlpPolicy" if algorithm.env_config.observation == "flat" else "MultiInputPolicy"
    shared: Figures = {"seed": 0, "device": "cpu"}
    if isinstance(algorithm, SAC):
        replay = algorithm.replay
        return sb3.SAC(
            policy,
            env,
            policy_kwargs={"net_arch": list(algorithm.actor_network.hidden)},
            buffer_size=replay.capacity,
            batch_size=replay.batch_size,
            learning_starts=replay.warmup_frames,
            **shared,
        )
    assert isinstance(algorithm, OnPolicy)
    frames = algorithm.collection.frames_per_batch
    hidden = algorithm.actor_network.hidden
    layers = {"net_arch": {"pi": list(hidden), "vf": list(hidden)}, "activation_fn": activations.Tanh}
    if isinstance(algorithm, PPO):
        size = min(frames, algorithm.proximity.minibatch)
        passes = {"n_epochs": algorithm.proximity.epochs, "batch_size": size}
        return sb3.PPO(policy, env, n_steps=frames, policy_kwargs=layers, **passes, **shared)
    return sb3.A2C(policy, env, n_steps=frames, policy_kwargs=layers, use_rms_prop=False, **shared)

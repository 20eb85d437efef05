"""Experience from several processes, on this machine or a Ray cluster: for environments that are slow to step."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from tensordict import TensorDictBase
from torchrl.collectors import MultiSyncCollector
from torchrl.envs import EnvBase
from torchrl.modules import ProbabilisticActor

from litgrid.algorithms.environments import make_env
from litgrid.errors import InputError
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import Scenarios

Backend = Literal["process", "ray"]


@dataclass(frozen=True)
class MakeEnv:
    """Makes the environments of a worker, in its process, and seeds what its policy draws."""

    scenarios: Scenarios
    envs: int
    config: EnvConfig
    seed: int

    def __call__(self) -> EnvBase:
        """Make them."""
        torch.manual_seed(self.seed)
        return make_env(self.scenarios, self.envs, self.config, "cpu", self.seed)


def experience(
    workers: Callable[[], list[MakeEnv]],
    actor: ProbabilisticActor,
    frames_per_batch: int,
    backend: Backend,
    device: torch.device,
) -> Iterator[TensorDictBase]:
    """Yield batches [envs, steps], each collected by all workers with the policy as it is when the batch is asked for.

    Args:
        workers: returns what makes each worker's environments; they start with the first batch.
        actor: the policy; workers get its weights before every batch.
        frames_per_batch: of all workers together.
        backend: what the workers run on.
        device: for the batches; workers compute on the CPU.
    """
    collector = (
        _with_ray(workers(), actor, frames_per_batch)
        if backend == "ray"
        else _with_processes(workers(), actor, frames_per_batch)
    )
    try:
        for batch in collector:  # [workers, envs, steps]
            yield batch.exclude("collector").flatten(0, 1).to(device)
    finally:
        collector.shutdown()


def check_backend(backend: Backend) -> None:
    """Refuse a back end that is not installed.

    Raises:
        InputError: saying what would install it.
    """
    if backend == "ray" and importlib.util.find_spec("ray") is None:
        raise InputError("collection.backend: found ray, which is not installed; expected pip install 'litgrid[ray]'")


def _with_processes(workers: list[MakeEnv], actor: ProbabilisticActor, frames_per_batch: int) -> Any:
    return MultiSyncCollector(
        workers,
        actor,
        frames_per_batch=frames_per_batch,
        total_frames=-1,
        device="cpu",
        trust_policy=True,
        update_at_each_batch=True,
        auto_register_policy_transforms=False,
    )


def _with_ray(workers: list[MakeEnv], actor: ProbabilisticActor, frames_per_batch: int) -> Any:
    from torchrl.collectors.distributed import RayCollector  # noqa: PLC0415 (Ray is an optional dependency)

    return RayCollector(
        workers,
        actor,
        frames_per_batch=frames_per_batch,
        total_frames=sys.maxsize,  # -1, its default, ends before the first batch
        device="cpu",
        trust_policy=True,
        sync=True,
        update_after_each_batch=True,
        ray_init_config={"log_to_driver": False},
        collector_kwargs={"auto_register_policy_transforms": False},
        remote_configs={"num_cpus": 1, "num_gpus": 0},
    )

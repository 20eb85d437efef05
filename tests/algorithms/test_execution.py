"""Compiled updates and CUDA graphs: they learn what eager ones learn, keep the same checkpoints, or are refused."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from litgrid.algorithms import execution
from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.keeping import Checkpoints
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.networks import Network, Spaces
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.sac import SAC, Replay
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.compiling import missing
from litgrid.sim.env import EnvConfig, make_env
from litgrid.site.site import Site

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NETWORK = Network(hidden=[8, 8], sockets=4)
KINDS: tuple[type[Algorithm], ...] = (SAC, PPO, A2C)
OWN: dict[type[Algorithm], dict[str, Any]] = {
    SAC: {"replay": Replay(capacity=100, batch_size=8, updates_per_batch=2, warmup_frames=32)},
    PPO: {"proximity": Proximity(epochs=2, minibatch=16)},
    A2C: {},
}
WAITS = ("_local_scalar_dense", "nonzero", "masked_select")
"""Operations after which the CPU knows a value of the device: it has to wait, which no graph can."""


@pytest.fixture(autouse=True)
def _days(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Random days in place of years; what was compiled is forgotten."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 24 * 7, seed=len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    yield
    torch.compiler.reset()


def make(kind: type[Algorithm], observation: Any = "entity", **arguments: Any) -> Any:
    """An algorithm with a budget of a few updates."""
    shared: dict[str, Any] = {
        "env": EnvConfig(observation=observation, window_hours=6),
        "collection": Collection(envs=4, frames_per_batch=32),
        "budget": Budget(total_frames=128, frames_per_epoch=128, batches_per_row=1),
        "actor_network": NETWORK,
        "critic_network": NETWORK,
    }
    return kind(**shared | OWN[kind] | arguments)


def fit(algorithm: Any, site: Site, epochs: int = 1, resume: Path | None = None, **trainer: Any) -> dict[str, Tensor]:
    """Train without validation; returns all that a checkpoint would keep of the networks."""
    defaults = {"logger": False, "enable_checkpointing": False}
    Trainer(
        max_epochs=epochs,
        limit_val_batches=0,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **defaults | trainer,
    ).fit(algorithm, datamodule=ScenarioData(site), ckpt_path=resume)
    return {key: value.clone() for key, value in algorithm.state_dict().items()}


def without_kernels(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Trace and differentiate as compiling does, and run the result without a C++ compiler; returns what was traced."""
    compile_, traced = torch.compile, []

    def traced_alone(function: Any, *, fullgraph: bool, dynamic: bool, options: Any) -> Any:  # noqa: ARG001
        traced.append(function)
        return compile_(function, fullgraph=fullgraph, dynamic=dynamic, backend="aot_eager")

    monkeypatch.setattr(torch, "compile", traced_alone)
    monkeypatch.setattr(execution, "missing", lambda _: None)
    return traced


def close(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float = 1e-5) -> None:
    """The same keys, in order, and the same values to rounding."""
    assert list(ours) == list(theirs)
    for key, value in ours.items():
        torch.testing.assert_close(theirs[key], value, rtol=tolerance, atol=tolerance)


COMPILED = [
    pytest.param(SAC, "flat", "32-true", marks=pytest.mark.slow),
    pytest.param(SAC, "entity", "32-true", marks=pytest.mark.slow),
    pytest.param(PPO, "entity", "32-true", marks=pytest.mark.slow),
    (PPO, "flat", "bf16-mixed"),
    (A2C, "entity", "32-true"),
    pytest.param(A2C, "flat", "32-true", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("kind", "observation", "precision"), COMPILED)
def test_compiled_updates_learn_what_eager_ones_learn(
    small_site: Site, monkeypatch: pytest.MonkeyPatch, kind: type[Algorithm], observation: str, precision: Any
) -> None:
    eager = fit(make(kind, observation), small_site, precision=precision)
    traced = without_kernels(monkeypatch)
    algorithm = make(kind, observation, execution="compiled")
    close(eager, fit(algorithm, small_site, precision=precision), 1e-5 if precision == "32-true" else 1e-3)
    assert algorithm.updates == algorithm.trainer.global_step > 0
    assert len(traced) == 1


@pytest.mark.slow
@pytest.mark.skipif(missing(CPU) is not None, reason="no C++ compiler")
def test_a_compiled_run_goes_on_bit_for_bit_and_its_checkpoint_goes_on_eagerly(
    small_site: Site, tmp_path: Path, whole_state: Callable[[Path, int], dict[str, Any]]
) -> None:
    """With real kernels: stopped after an epoch and resumed, it is the run that was not stopped."""

    def run(folder: Path, epochs: int, resume: Path | None = None, how: Any = "compiled") -> dict[str, Tensor]:
        algorithm = make(A2C, "flat", execution=how, budget=Budget(128, 64, batches_per_row=1))
        logger = MetricsFile(folder, list(algorithm.METRICS))
        callbacks = [Checkpoints(folder / "checkpoints")]
        return fit(algorithm, small_site, epochs, resume, logger=logger, callbacks=callbacks, enable_checkpointing=True)

    whole, parts, mixed = (tmp_path / name for name in ("whole", "parts", "mixed"))
    run(whole, 2)
    for folder in (parts, mixed):
        run(folder, 1)
    run(parts, 2, parts / "checkpoints" / "last.ckpt")
    differing = [key for key, value in whole_state(whole, 0).items() if whole_state(parts, 0)[key] != value]
    assert [key for key in differing if "time" not in key] == []
    eager = run(mixed, 2, mixed / "checkpoints" / "last.ckpt", "eager")
    close(torch.load(whole / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"], eager)


class Graph:
    """What a CUDA graph does with memory: the second call runs, and is captured without running; later ones replay.

    Replays read the frames and write the gradients where the capture did.
    """

    made: list["Graph"]

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0
        self.frames: Any = None
        self.parameters = [p for group in function.__self__._optimizer.param_groups for p in group["params"]]
        Graph.made.append(self)

    def __call__(self, frames: Any) -> Any:
        self.calls += 1
        if self.frames is not None:
            return self.function(self.frames.copy_(frames))
        result = self.function(frames.clone())
        if self.calls == 2:
            self._capture(frames.clone())
        return result

    def _capture(self, frames: Any) -> None:
        """Run without a trace, but that gradients which moved are what memory happens to hold."""
        before = [(p.grad.data_ptr(), p.grad.clone()) for p in self.parameters]
        self.frames, state = frames, torch.get_rng_state()
        self.function(frames)
        torch.set_rng_state(state)
        for parameter, (place, value) in zip(self.parameters, before, strict=True):
            assert parameter.grad is not None
            parameter.grad.copy_(value if parameter.grad.data_ptr() == place else torch.full_like(value, torch.nan))


@pytest.mark.parametrize("scaled", [False, True], ids=["32-true", "16-mixed"])
@pytest.mark.parametrize("kind", KINDS)
def test_graphs_learn_what_eager_updates_learn(
    small_site: Site, monkeypatch: pytest.MonkeyPatch, kind: type[Algorithm], scaled: bool
) -> None:
    """On the CPU, with a stand-in for the update's graph; that of the policy is TorchRL's, which passes it through."""

    def trainer() -> dict[str, Any]:
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]} if scaled else {}

    eager = fit(make(kind), small_site, **trainer())
    Graph.made = []
    monkeypatch.setattr("litgrid.algorithms.base.check", lambda *_: None)
    monkeypatch.setattr(execution, "CudaGraphModule", Graph)
    algorithm = make(kind, execution="cuda_graph")
    with pytest.warns(UserWarning, match="without CUDA device"):
        graphed = fit(algorithm, small_site, **trainer())
    assert [(graph.calls, algorithm.updates) for graph in Graph.made] == [(algorithm.trainer.global_step,) * 2]
    assert algorithm.collector.cudagraphed_policy
    close(eager, graphed, 0.0)


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operations that a CUDA graph could not hold."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen += [name for name in WAITS if name in str(func)]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("observation", ["flat", "entity"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_captured_never_waits_for_the_device(
    small_site: Site, monkeypatch: pytest.MonkeyPatch, kind: type[Algorithm], observation: str
) -> None:
    monkeypatch.setattr("torchrl.modules.distributions.continuous.safe_is_current_stream_capturing", lambda: True)
    algorithm = make(kind, observation)
    env = make_env(random_scenarios(small_site, 1, 24 * 7), 4, algorithm.env_config)
    algorithm.build(Spaces.of(env))
    frames = next(iter(algorithm.make_collector(env)))
    sample = frames.select(*algorithm.kept).reshape(-1) if kind is SAC else algorithm.with_advantages(frames)
    with Waits() as captured:
        algorithm.evaluate_loss(sample)[0].backward()
        with torch.no_grad():
            algorithm.actor(frames[:, 0].exclude("action"))
    assert captured.seen == []
    with Waits() as found:
        bool(algorithm.evaluate_loss(sample)[0] > 0.0)
    assert found.seen == ["_local_scalar_dense"]  # it would have been seen


REFUSED = [
    ("cuda_graph", CPU, 1, "execution: found cuda_graph on cpu, expected eager or compiled, or a CUDA GPU"),
    ("cuda_graph", CUDA, 2, "execution: found cuda_graph in 2 processes, expected eager or compiled, or one"),
    ("compiled", CPU, 1, "execution: found compiled where a C[+][+] compiler is missing, expected eager"),
]


@pytest.mark.parametrize(("how", "device", "processes", "message"), REFUSED)
def test_what_can_not_run_here_is_refused(
    how: Any, device: torch.device, processes: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "missing", lambda _: "a C++ compiler")
    with pytest.raises(InputError, match=message):
        execution.check(how, device, processes)
    execution.check("eager", device, processes)


def test_training_refuses_it_too(small_site: Site) -> None:
    with pytest.raises(InputError, match="execution: found cuda_graph on cpu"):
        fit(make(A2C, execution="cuda_graph"), small_site)


def test_a_graph_needs_minibatches_of_one_size() -> None:
    with pytest.raises(InputError, match=r"collection.frames_per_batch: found 32, expected a multiple of proximity"):
        make(PPO, execution="cuda_graph", proximity=Proximity(minibatch=24))
    make(PPO, execution="cuda_graph", proximity=Proximity(minibatch=16))
    make(PPO, execution="cuda_graph", proximity=Proximity(minibatch=64))  # one minibatch, of all 32 frames

"""Compiled steps equal eager ones, resume exactly, and stay eager where no compiler is at hand."""

from collections.abc import Callable, Iterator

import pytest
import torch
from tensordict import TensorDict
from torch.fx.experimental.proxy_tensor import make_fx

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim import compiling
from litgrid.sim.env import EnvConfig, SiteEnv, make_env
from litgrid.site.site import Site

RandomScenarios = Callable[..., ScenarioSet]
LACKING = compiling.missing(torch.device("cpu"))
WINDOW = EnvConfig(window_hours=5)
COMPILED = EnvConfig(window_hours=5, compile=True)


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=40)


def steps(env: SiteEnv, start: TensorDict, count: int, seed: int) -> Iterator[TensorDict]:
    """The records of ``count`` steps with random actions, across ends of windows; each is a copy."""
    draw = torch.Generator().manual_seed(seed)
    for _ in range(count):
        start["action"] = torch.rand(env.action_spec.shape, generator=draw) * 2 - 1
        done, start = env.step_and_maybe_reset(start)
        yield done


@pytest.mark.slow
@pytest.mark.skipif(LACKING is not None, reason=f"no {LACKING}")
def test_compiled_steps_equal_eager_ones_and_resume_bit_for_bit(scenarios: ScenarioSet) -> None:
    eager, env, resumed = (SiteEnv(scenarios, 3, config, seed=1) for config in (WINDOW, COMPILED, COMPILED))
    expected = list(steps(eager, eager.reset(), 12, seed=0))
    first = list(steps(env, env.reset(), 12, seed=0))
    torch.testing.assert_close(torch.stack(first), torch.stack(expected), rtol=1e-5, atol=1e-5)
    kept = first[-1]["next"].exclude("reward").clone()
    saved = {key: value.clone() for key, value in env.state_dict().items()}
    uninterrupted = list(steps(env, kept.clone(), 7, seed=1))
    assert torch.equal(first[-1]["next", "observation"], kept["observation"])  # later steps write elsewhere
    resumed.load_state_dict(saved)
    assert bool((torch.stack(list(steps(resumed, kept.clone(), 7, seed=1))) == torch.stack(uninterrupted)).all())


def test_without_a_compiler_steps_are_eager_and_say_so(scenarios: ScenarioSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "missing", lambda _: "a C++ compiler")
    with pytest.warns(UserWarning, match="compiler is missing"):
        env = SiteEnv(scenarios, 3, COMPILED, seed=1)
    eager = SiteEnv(scenarios, 3, WINDOW, seed=1)
    found, expected = (list(steps(each, each.reset(), 6, seed=0)) for each in (env, eager))
    assert bool((torch.stack(found) == torch.stack(expected)).all())


def test_citylearn_can_not_be_compiled(scenarios: ScenarioSet) -> None:
    with pytest.raises(InputError, match="compile: found true with backend citylearn"):
        make_env(scenarios, 1, EnvConfig(backend="citylearn", compile=True))


def test_what_depends_on_kept_tensors_alone_is_computed_once() -> None:
    kept, values = torch.tensor([2.0, 4.0]), torch.tensor([6.0, 8.0])
    graph = compiling._folded(make_fx(lambda x: x * (1.0 / (kept + 0.0)) + kept.max() + torch.zeros_like(x))(values))
    assert graph(values).tolist() == [7.0, 6.0]
    called = [node.target for node in graph.graph.nodes if node.op == "call_function"]
    assert len(called) == 4  # x * inverse, + largest, zeros, + zeros

"""The algorithms learn the battery whose optimum is known; the script remembers what it has done."""

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "known_tasks.py"


@pytest.fixture(scope="module")
def known() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("litgrid_known_tasks", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "frames"), [("sac", 1_000), ("ppo", 16_384), ("a2c", 38_400)])
def test_it_learns_the_battery(known: ModuleType, algorithm: str, frames: int) -> None:
    """The optimum returns -1.12; who leaves the battery idle, as untrained policies nearly do, gets -3.64."""
    task = known.TASKS["battery"]
    assert known.mean_return(task, known.optimum) == pytest.approx(-1.12, abs=0.01)
    untrained = known.mean_return(task, known.idle)
    assert untrained < -3.0
    settings = dataclasses.replace(known.SETTINGS["battery", algorithm], frames=frames)
    policy = known.train_litgrid(algorithm, task, settings, seed=0)
    assert known.mean_return(task, policy) > -1.8


def test_runs_are_made_once(
    known: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = []

    def train(algorithm: str, _task: Any, settings: Any, seed: int) -> Any:
        calls.append((algorithm, settings.frames, seed))
        return known.idle

    monkeypatch.setattr(known, "TRAIN", {"litgrid": train, "sb3": train})
    results = tmp_path / "results.jsonl"

    def command(*options: str) -> list[Any]:
        calls.clear()
        arguments = ["--results", str(results), "--tasks", "battery", "--algorithms", "ppo", *options]
        monkeypatch.setattr(sys, "argv", ["known_tasks.py", *arguments])
        known.main()
        return list(calls)

    frames = known.SETTINGS["battery", "ppo"].frames
    assert command("--seeds", "0") == [("ppo", frames, 0)] * 2
    assert command("--seeds", "0", "1") == [("ppo", frames, 1)] * 2
    assert command("--seeds", "0", "--frames", "1024") == [("ppo", 1024, 0)] * 2
    assert command("--table") == []
    assert len(results.read_text(encoding="utf-8").splitlines()) == 6
    with pytest.raises(SystemExit, match="2"):
        command("--frames", "1000")
    captured = capsys.readouterr()
    assert "frames: found 1000, expected a multiple of 8 environments x 128 steps" in captured.err
    rows = [line for line in captured.out.splitlines() if line.startswith("| battery | PPO | ")]
    assert rows[-2].startswith(f"| battery | PPO | {frames:,} | 2, 2 | -3.64 | -3.64 ± 0.00 | -3.64 ± 0.00 | -1.12 |")

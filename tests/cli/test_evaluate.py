"""The command ``evaluate``, from the arguments to the files, on a small site."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from litgrid.algorithms.agent import UNTRAINED, spaces
from litgrid.algorithms.base import Budget, Collection
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.sources import SiteYears
from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site, Years, replace

COLLECTION: dict[str, Any] = {"envs": 4, "frames_per_batch": 8}
BUDGET: dict[str, Any] = {"total_frames": 16, "frames_per_epoch": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all tests keep files and scenarios."""
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def config(folder: Path, small_site: Site) -> Path:
    """The small site's file, one year a split."""
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(_plain(small_site)), encoding="utf-8")
    return path


def _plain(site: Site) -> dict[str, object]:
    values: dict[str, object] = json.loads(json.dumps(dataclasses.asdict(replace(site, years=Years(1, 1, 1)))))
    return values


@pytest.fixture(scope="module")
def checkpoint(folder: Path, small_site: Site) -> Path:
    """A run with an agent that has not learned anything, as ``fit`` would have written it."""
    return make_run(folder / "runs" / "small" / "sac" / "seed-3", small_site, {})


def make_run(run: Path, site: Site, env: dict[str, str]) -> Path:
    """Write a run; returns its best checkpoint."""
    (run / "checkpoints").mkdir(parents=True)
    options = {"collection": COLLECTION, "budget": BUDGET, "env": env}
    model = {"class_path": "litgrid.algorithms.sac.SAC", "init_args": options}
    config = {"seed_everything": 3, "model": model, "data": {"site": _plain(site)}}
    (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    algorithm = SAC(collection=Collection(**COLLECTION), budget=Budget(**BUDGET), env=EnvConfig(**env))  # type: ignore[arg-type]
    for name in ("best.ckpt", UNTRAINED):
        actor = algorithm.make_actor(spaces(SiteYears(site).sample(), algorithm.env_config))
        weights = {f"actor.{key}": value for key, value in actor.state_dict().items()}
        torch.save({"state_dict": weights}, run / "checkpoints" / name)
    return run / "checkpoints" / "best.ckpt"


@pytest.fixture
def short_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weeks instead of built years, where what is simulated does not matter."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, 14 * site.steps_per_day), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)


def evaluate(folder: Path, *arguments: object) -> int:
    return main(["evaluate", "--folder", str(folder / "scenarios"), *map(str, arguments)])


@pytest.mark.slow
def test_table_json_and_plot(folder: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, picture = folder / "figures.json", folder / "week.png"
    assert evaluate(folder, "--config", config, "--split", "validation", "--json", figures, "--plot", picture) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("small: validation, mean of 1 year\n")
    assert "self_consumption" in printed
    assert "CO2 ladder" in printed
    written = json.loads(figures.read_text(encoding="utf-8"))
    assert [row["controller"] for row in written["controllers"]] == ["uncontrolled", "self_consumption"]
    assert [rung["rung"] for rung in written["ladder"]] == ["gasoline", "ev_on_grid", "pv", "bess_and_rule"]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("short_years")
@pytest.mark.parametrize("names", [["idle", "uncontrolled"], ["idle,uncontrolled"]])
def test_standard_output_is_json_alone(
    folder: Path, config: Path, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(folder, "--config", config, "--json", "-", "--controllers", *names) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [row["controller"] for row in figures["controllers"]] == ["idle", "uncontrolled"]
    assert figures["split"] == "test"
    assert figures["controllers"][0]["ev_service"] == 0.0


@pytest.mark.usefixtures("short_years")
def test_agents_bring_their_site_and_are_logged_on_the_test_years(
    folder: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = checkpoint.parent.parent / "test_evaluations.jsonl"
    arguments = ["--checkpoints", checkpoint, "--untrained", "--controllers", "uncontrolled", "--json", "-"]
    assert evaluate(folder, *arguments, "--split", "validation") == 0
    capsys.readouterr()
    assert not log.exists()
    assert evaluate(folder, *arguments) == 0
    figures = json.loads(capsys.readouterr().out)
    rows = [(row["controller"], row["seed"]) for row in figures["controllers"]]
    assert rows == [("uncontrolled", None), ("sac", 3), ("sac_untrained", 3)]
    assert figures["controllers"][1]["ev_service"] == pytest.approx(1.0, abs=1e-6)  # its floor on the sockets
    assert figures["ladder"][-1]["rung"] == "sac"
    (line,) = log.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["objective"] == figures["controllers"][1]["objective"]


@pytest.mark.usefixtures("short_years")
@pytest.mark.parametrize(("battery", "sockets"), [("raw", 1), ("residual", 9)])
def test_an_entity_agent_runs_on_a_site_with_other_sockets(
    folder: Path, small_site: Site, battery: str, sockets: int, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {"observation": "entity", "battery": battery}
    agent = make_run(folder / "runs" / f"entity-{battery}" / "sac" / "seed-3", small_site, env)
    other = folder / f"sockets-{sockets}.yaml"
    other.write_text(yaml.safe_dump(_plain(with_sockets(small_site, sockets))), encoding="utf-8")
    assert evaluate(folder, "--config", other, "--checkpoints", agent, "--json", "-") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["site"] == f"other_{sockets}"
    assert figures["controllers"][-1]["controller"] == "sac"
    assert figures["controllers"][-1]["ev_service"] == pytest.approx(1.0, abs=1e-6)


def with_sockets(site: Site, sockets: int) -> Site:
    """The same site with another number of sockets."""
    groups = [replace(site.fleet.groups[0], sockets=sockets)]
    return replace(site, name=f"other_{sockets}", fleet=replace(site.fleet, groups=groups))


@pytest.mark.usefixtures("short_years")
def test_a_flat_agent_is_refused_there(
    folder: Path, checkpoint: Path, small_site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder / "flat.yaml"
    other.write_text(yaml.safe_dump(_plain(with_sockets(small_site, 7))), encoding="utf-8")
    assert evaluate(folder, "--config", other, "--checkpoints", checkpoint) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "found an agent for small, expected one that fits other_7 with 7 sockets; agents with observation: entity fit "
        "any number of sockets"
    )


def test_agents_of_different_sites_need_a_site(
    folder: Path, checkpoint: Path, small_site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder / "runs" / "other" / "sac" / "seed-3"
    (other / "checkpoints").mkdir(parents=True)
    config = yaml.safe_load((checkpoint.parent.parent / "config.yaml").read_text(encoding="utf-8"))
    config["data"]["site"] = _plain(replace(small_site, name="other"))
    (other / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (other / "checkpoints" / "best.ckpt").write_bytes(checkpoint.read_bytes())
    assert evaluate(folder, "--checkpoints", checkpoint, other / "checkpoints" / "best.ckpt") == 2
    assert "say with --config which" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--controllers", "greedy"], "controllers: found 'greedy', expected some of: idle, uncontrolled, self_"),
        (["--checkpoints", "none.ckpt"], "none.ckpt: found no file, expected a checkpoint"),
        (["--split", "tomorrow"], "choose from 'train', 'validation', 'test'"),
        (["--plot", "week.png", "--week", "53"], "--week: found 53, expected 1 to 52"),
        (["--plot", "week.jpg"], "--plot: found week.jpg, expected a name that ends in .png"),
        (["--json", "nowhere/figures.json"], "there is no folder nowhere"),
        (["--agents", "x"], "--agents"),
    ],
)
def test_wrong_input_is_one_line(
    folder: Path, config: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(folder, "--config", config, *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_neither_site_nor_agent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(folder) == 2
    assert "found neither --config nor --checkpoints" in capsys.readouterr().err

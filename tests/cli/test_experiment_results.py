"""The page of results that ``experiment`` ends in: of runs that are there already, on two small sites."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.base import Budget, Collection
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.sources import SiteYears
from litgrid.cli import main
from litgrid.cli.experiments.config import read_experiment
from litgrid.cli.experiments.parts import Part, parts
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site, Years, read_site, replace

COLLECTION: dict[str, Any] = {"envs": 4, "frames_per_batch": 8}
BUDGET: dict[str, Any] = {"total_frames": 16, "frames_per_epoch": 8}
METRICS = "frames,val/objective,time/minutes\n0,300,0.1\n16,200,{minutes}\n"
CONTROLLERS = ["uncontrolled", "self_consumption", "water_filling", "optimum", "optimum_served"]
DAYS = 6


@pytest.fixture(autouse=True)
def short_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random days in place of years, no W&B, and runs in a folder of their own."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 2, DAYS * site.steps_per_day, len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config(tmp_path: Path, small_site: Site) -> Path:
    """An experiment of two sites, whose agents go from one to the other."""
    (tmp_path / "sac.yaml").write_text("model: {class_path: SAC}\n", encoding="utf-8")
    for name, sockets in (("here", 3), ("there", 8)):
        group = replace(small_site.fleet.groups[0], sockets=sockets)
        site = replace(small_site, name=name, years=Years(1, 1, 1), fleet=replace(small_site.fleet, groups=[group]))
        plain = json.loads(json.dumps(dataclasses.asdict(site)))
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    plain |= {"name": "absent", "carbon": {"file": {"path": "none.csv"}}}
    (tmp_path / "absent.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")
    experiment = {
        "name": "study",
        "sites": ["here.yaml", "there.yaml"],
        "optional_sites": ["absent.yaml"],
        "algorithms": {"sac": {"configs": ["sac.yaml"]}, "half": {"configs": ["sac.yaml"], "seeds": {"here": 1}}},
        "seeds": 2,
        "comparison": {"controllers": CONTROLLERS},
        "results": {
            "flexibility": ["here"],
            "transfer": [{"algorithm": "sac", "site": "here", "to": ["there"]}],
            "measured": {"here": "there"},
        },
    }
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
    return path


def train(part: Part, site: Path) -> None:
    """Write a run as ``fit`` would have, with an agent that has not learned anything."""
    part.prepare()
    (part.folder / "checkpoints").mkdir(parents=True)
    options = {"collection": COLLECTION, "budget": BUDGET, "env": {"observation": "entity"}}
    model = {"class_path": "litgrid.algorithms.sac.SAC", "init_args": options}
    plain = yaml.safe_load(site.read_text(encoding="utf-8"))
    config = {"seed_everything": part.seed, "model": model, "label": part.algorithm, "data": {"site": plain}}
    (part.folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (part.folder / "metrics.csv").write_text(METRICS.format(minutes=1.5 + part.seed), encoding="utf-8")
    env = EnvConfig(observation="entity")
    algorithm = SAC(collection=Collection(**COLLECTION), budget=Budget(**BUDGET), env=env)
    torch.manual_seed(part.seed)
    actor = algorithm.make_actor(spaces(SiteYears(read_site(site)).sample(), env))
    weights = {f"actor.{key}": value for key, value in actor.state_dict().items()}
    for name in ("best.ckpt", "last.ckpt"):
        torch.save({"state_dict": weights}, part.folder / "checkpoints" / name)
    (part.folder / "evaluation.json").write_text("{}", encoding="utf-8")


def test_the_page_of_results(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = parts(read_experiment(config))
    for part in planned:
        train(part, tmp_path / f"{part.site}.yaml")
    call = ["experiment", "--config", str(config), "--json", str(tmp_path / "figures.json")]
    assert main(call) == 0, capsys.readouterr().err
    assert "absent: left out: " in capsys.readouterr().err
    folder = Path("runs") / "study"
    text = (folder / "results.md").read_text(encoding="utf-8")
    for words in (
        "## here",
        "## there",
        "![Validation objective against minutes of training](images/results-here.png)",
    ):
        assert words in text
    assert (folder / "images" / "results-there.png").is_file()
    figures = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["results"] == figures
    here = figures["sites"][0]
    names = {row["name"]: row for row in here["found"]["results"]}
    assert names.keys() == {*CONTROLLERS, "sac", "half"}
    assert names["sac"]["minutes"] == [1.5, 2.5]
    assert names["optimum_served"]["gains"]["bill_served"]["share"]["value"] == pytest.approx(1.0)
    assert names["uncontrolled"]["gains"]["objective"]["worst"] == pytest.approx(0.0)
    assert here["flexibility"][0]["case"] == "none"
    assert all(leak["shared"] == 0 for site in figures["sites"] for leak in site["leaks"])
    assert here["knowledge"].keys() == {"uncontrolled", "self_consumption", "water_filling", "sac", "half"}
    assert not any(known["future"] for known in here["knowledge"].values())
    assert [(row["site"], row["trained_on"], row["share"]) for row in figures["moved"]] == [
        ("there", "here", "objective_served"),
        ("there", "here", "objective"),
    ]
    log = (folder / "here" / "sac" / "seed-0" / "test_evaluations.jsonl").read_text(encoding="utf-8")
    assert len(log.splitlines()) == 2, "at home and on the other site"
    monkeypatch.setattr("litgrid.cli.experiments.results.measure", None)
    monkeypatch.setattr("litgrid.cli.experiments.results.flexibility", None)
    assert main(call) == 0, "what was computed is kept"
    assert json.loads((folder / "results.json").read_text(encoding="utf-8")) == figures


def test_the_page_names_what_is_missing(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a training failed."""
    monkeypatch.setattr("litgrid.cli.experiment.work", lambda *_: [])
    first = parts(read_experiment(config))[0]
    train(first, tmp_path / "here.yaml")
    assert main(["experiment", "--config", str(config)]) == 0
    text = (Path("runs") / "study" / "results.md").read_text(encoding="utf-8")
    assert "Not trained yet: here/half/seed-0, here/sac/seed-1." in text
    assert "## there" not in text
    assert "One policy on sites of other sizes" not in text


def test_without_anything_trained_there_is_no_page(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litgrid.cli.experiment.work", lambda *_: [])
    assert main(["experiment", "--config", str(config)]) == 0
    assert not (Path("runs") / "study" / "results.md").exists()

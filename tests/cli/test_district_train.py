"""Training and evaluation on CityLearn data sets, from the arguments to the files."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from litgrid.cli import main
from litgrid.scenarios.random_district import Features, write_random

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT.parent / "shared" / "data" / "citylearn_2022_phase_1"
SMALL = ROOT / "configs" / "sites" / "small.yaml"
DAYS, BUILDINGS = 8, 2
INIT = {
    "env": {"observation": "entity", "window_hours": 12},
    "collection": {"envs": 4, "frames_per_batch": 32},
    "budget": {"total_frames": 128, "frames_per_epoch": 64, "batches_per_row": 1},
    "replay": {"capacity": 200, "batch_size": 8, "updates_per_batch": 1, "warmup_frames": 32},
    "actor_network": {"hidden": [8, 8], "sockets": 4},
    "critic_network": {"hidden": [8, 8], "sockets": 4},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where data sets, configuration and runs are: ``village`` has vehicle-to-grid, ``homes`` has no chargers."""
    path = tmp_path_factory.mktemp("districts")
    write_random(path / "village", Features(steps=24 * DAYS, buildings=BUILDINGS, v2g=True), seed=1)
    write_random(path / "homes", Features(steps=24 * DAYS, buildings=1, chargers=0), seed=2)
    values = {
        "model": {"class_path": "SAC", "init_args": INIT},
        "data": {"citylearn": {"path": "village", "objective": {"preset": "cost"}}},
        "runs": str(path / "runs"),
    }
    (path / "tiny.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def without_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    """No W&B."""
    monkeypatch.setenv("WANDB_MODE", "disabled")


def fit(folder: Path, *arguments: object) -> int:
    return main(["fit", "--config", str(folder / "tiny.yaml"), *map(str, arguments)])


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """The folder of a finished run."""
    with pytest.MonkeyPatch.context() as patch:
        without_wandb.__wrapped__(patch)  # type: ignore[attr-defined]
        assert fit(folder) == 0
    return folder / "runs" / "village" / "sac" / "seed-0"


@pytest.fixture(scope="module")
def best(run: Path) -> Path:
    """Its checkpoint."""
    return run / "checkpoints" / "best.ckpt"


def evaluated(capsys: pytest.CaptureFixture[str], command: str, *arguments: object) -> dict[str, object]:
    """The figures of a command."""
    capsys.readouterr()
    assert main([command, *map(str, arguments), "--json", "-"]) == 0
    figures: dict[str, object] = json.loads(capsys.readouterr().out)
    return figures


def test_a_run_ends_with_the_validation_days(run: Path) -> None:
    figures = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert (figures["site"], figures["split"], figures["days"], figures["blocks"]) == ("village", "validation", 1.0, 1)
    rows = {row["controller"]: row for row in figures["controllers"]}
    assert list(rows) == ["uncontrolled", "self_consumption", "sac", "sac_untrained"]
    for row in rows.values():
        assert row["ev_service"] == pytest.approx(1.0)  # the floor, and charging at once
        assert row["objective"] == pytest.approx(row["bill"] + row["unserved_cost"])  # the preset `cost`
        assert row["blocks"] == [{key: row[key] for key in row["blocks"][0]}]


def test_the_configuration_says_which_data_set_it_was(run: Path, folder: Path) -> None:
    kept = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert kept["data"]["citylearn"]["path"] == str(folder / "village")
    assert kept["data"]["site"] is None


def test_warnings_are_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(folder, "--data.citylearn.path", folder / "homes", "--model.env.observation", "flat") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "never simulated" in line]
    assert line.startswith("warning: row 192: the last one is read")
    assert (folder / "runs" / "homes" / "sac" / "seed-0" / "evaluation.json").is_file()


@pytest.mark.parametrize("observation", ["entity", "flat"])
@pytest.mark.parametrize("data", ["village", "homes"])
def test_both_observations_train_with_and_without_chargers(folder: Path, observation: str, data: str) -> None:
    options = ["--data.citylearn.path", folder / data, "--experiment", f"{data}-{observation}"]
    assert fit(folder, *options, "--model.env.observation", observation) == 0


def test_the_data_set_takes_the_place_of_a_site(folder: Path) -> None:
    assert fit(folder, "--data.site", SMALL, "--experiment", "instead") == 0
    figures = json.loads((folder / "runs/instead/sac/seed-0/evaluation.json").read_text(encoding="utf-8"))
    assert figures["site"] == "village"


def test_validate_is_the_end_of_fit_and_test_is_logged(
    run: Path, best: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    validation = evaluated(capsys, "validate", "--ckpt_path", best)
    assert validation["controllers"] == kept["controllers"][:3]
    assert not (run / "test_evaluations.jsonl").exists()
    figures = evaluated(capsys, "test", "--ckpt_path", best)
    again = evaluated(capsys, "evaluate", "--checkpoints", best)
    whole = evaluated(capsys, "evaluate", "--checkpoints", best, "--split", "all")
    lines = [json.loads(line) for line in (run / "test_evaluations.jsonl").read_text("utf-8").splitlines()]
    assert [line["split"] for line in lines] == ["test", "test", "all"]
    for line, found in zip(lines, (figures, again, whole), strict=True):
        assert line["objective"] == found["controllers"][2]["objective"]  # type: ignore[index]
        assert "blocks" not in line


def test_a_schedule_is_that_of_every_building(run: Path, best: Path) -> None:
    assert main(["predict", "--ckpt_path", str(best)]) == 0
    with (run / "schedule-test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 * BUILDINGS
    assert [int(row["row"]) for row in rows[::BUILDINGS]] == list(range(7 * 24, 8 * 24))
    assert [row["building"] for row in rows[:BUILDINGS]] == ["building_0", "building_1"]
    assert rows[0]["bess_soc"] != "" == rows[1]["bess_soc"]  # the second has no battery
    for row in rows:
        load, pv, ev, bess, grid = (float(row[f"{key}_kw"]) for key in ("load", "pv", "ev", "bess", "grid"))
        assert grid == pytest.approx(load + ev + bess - pv, abs=1e-3)


def test_evaluate_compares_on_every_row_with_kpis(folder: Path, best: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--checkpoints", best, "--untrained", "--controllers", "idle,uncontrolled,self_consumption"]
    figures = evaluated(capsys, "evaluate", "--citylearn", folder / "village", "--split", "all", *arguments)
    assert (figures["days"], figures["blocks"]) == (DAYS, 1)
    rows = {row["controller"]: row for row in figures["controllers"]}  # type: ignore[attr-defined]
    assert list(rows) == ["idle", "uncontrolled", "self_consumption", "sac", "sac_untrained"]
    assert rows["idle"]["objective"] > rows["uncontrolled"]["objective"]
    assert rows["idle"]["kpis"]["cost_total"] == 1.0  # its own baseline
    assert rows["uncontrolled"]["kpis"]["cost_total"] > 1.0
    assert main(["evaluate", "--citylearn", str(folder / "village"), "--split", "all"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("village: all, 8 days in 1 block\n")
    assert "cost_total" in printed


def test_an_agent_goes_where_its_data_went(
    folder: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run whose data set is gone says so, and can be evaluated with the folder named."""
    shutil.copytree(run, tmp_path / "lost")
    checkpoint, config = tmp_path / "lost/checkpoints/best.ckpt", tmp_path / "lost/config.yaml"
    text = config.read_text(encoding="utf-8").replace(str(folder / "village"), str(folder / "gone"))
    config.write_text(text, encoding="utf-8")
    for arguments in (["evaluate", "--checkpoints"], ["test", "--ckpt_path"]):
        assert main([*arguments, str(checkpoint)]) == 2
        captured = capsys.readouterr().err
        assert captured.count("\n") == 1
        assert "gone" in captured
    moved = evaluated(capsys, "evaluate", "--checkpoints", checkpoint, "--citylearn", folder / "village")
    assert moved["controllers"][2]["controller"] == "sac"  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.citylearn.path", "nowhere"], "data.citylearn: path: "),
        (["--data.citylearn.path", "."], "schema.json"),
        (["--data.citylearn.pth", "x"], "Option 'pth' is not accepted"),
        (["--data.citylearn", "null"], "data: found neither site nor citylearn.path, expected one of them"),
        (["--data.citylearn.objective.bill", "-1"], "objective.bill: found -1.0, expected at least 0"),
        (["--model.env.backend", "citylearn"], "backend: found citylearn with an imported data set"),
        (["--model.env.observation", "citylearn"], "env.observation: found citylearn, expected flat or entity"),
        (["--model.env.window_hours", "200"], "window_hours: found 200"),
    ],
)
def test_wrong_input_is_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder) if value == "." else value for value in arguments]
    assert fit(folder, *arguments, "--experiment", "wrong") == 2
    captured = capsys.readouterr()
    lines = [
        line for line in captured.err.splitlines() if not line.startswith(("warning:", "Training", "128", "Years"))
    ]
    assert len(lines) == 1
    assert message in lines[0]
    assert not list((folder / "runs" / "wrong").rglob("*.ckpt"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--citylearn", "nowhere"], "nowhere"),
        (["--citylearn", "village", "--config", str(SMALL)], "found both --config and --citylearn"),
        (["--citylearn", "village", "--plot", "week.png"], "found a CityLearn data set, expected a site"),
        (["--config", str(SMALL), "--split", "all"], "split: found all, which a CityLearn data set has"),
        (["--citylearn", "homes", "--checkpoints", "best"], "found an agent for village, expected one that fits homes"),
        (["--config", str(SMALL), "--checkpoints", "best"], "expected one that fits small with 12 sockets"),
    ],
)
def test_wrong_evaluations_are_one_line(
    folder: Path, best: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {name: folder / name for name in ("village", "homes", "week.png")} | {"best": best}
    assert main(["evaluate", *(str(places.get(value, value)) for value in arguments)]) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("warning:")]
    assert len(lines) == 1
    assert message in lines[0]
    assert captured.out == ""


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC.is_dir(), reason="needs the public data set in ../shared/data")
def test_the_public_data_set_trains(tmp_path: Path) -> None:
    """Five homes without vehicles, with the configuration for data sets."""
    budget = ["--model.budget.total_frames", "10240", "--model.replay.updates_per_batch", "1"]
    options = ["--config", str(ROOT / "configs/citylearn.yaml"), "--data.citylearn.path", str(PUBLIC)]
    assert main(["fit", *options, "--runs", str(tmp_path), *budget]) == 0
    (path,) = tmp_path.rglob("evaluation.json")
    rows = {row["controller"]: row for row in json.loads(path.read_text(encoding="utf-8"))["controllers"]}
    assert rows["self_consumption"]["objective"] < rows["uncontrolled"]["objective"]
    assert rows["sac"]["objective"] > 0

"""``experiment`` with a training that takes no time: what is planned, begun, gone on with, reported and compared."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from litgrid.cli import main
from litgrid.cli.bench_tools import machine_in_words
from litgrid.cli.experiments.config import read_experiment
from litgrid.cli.experiments.parts import Part, parts, sites_of
from litgrid.errors import InputError
from litgrid.site.site import Site, read_site

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FAKE = '''
"""The process of a part, with a training that writes a step every 20 ms and can be stopped and gone on with."""
import json, os, signal, sys, time
from pathlib import Path
from litgrid.cli.experiments import child

def fit(arguments):
    options = dict(argument[2:].split("=", 1) for argument in arguments if "=" in argument)
    run = Path(options["runs"]) / options["experiment"] / options["label"] / f"seed-{options['seed_everything']}"
    checkpoints, steps = run / "checkpoints", int(options.get("steps", 1))
    threads, service = os.environ["OMP_NUM_THREADS"], "WANDB_SERVICE" in os.environ
    print(f"{arguments[0]} with {threads} threads in {os.environ['WANDB_RUN_GROUP']}, W&B's process: {service}")
    going_on = "--ckpt_path" in arguments
    if going_on != run.exists():
        print("the folder is not as it should be")
        return 9
    if "broken" in options:
        print("litgrid: broken: found true, expected nothing")
        return 2
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    checkpoints.mkdir(parents=True, exist_ok=True)
    last = checkpoints / "last.ckpt"
    done = int(last.read_text()) if going_on else 0
    last.write_text(str(done))
    while done < steps:
        if stop:
            last.write_text(str(done))
            print(f"stopped after {done}")
            return 143
        time.sleep(0.02)
        done += 1
        with (run / "steps.txt").open("a") as file:
            file.write(f"{done}\\n")
    (checkpoints / "best.ckpt").write_text(f"{options['label']} {options['seed_everything']}")
    (run / "evaluation.json").write_text("{}")
    print("trained")
    return 0

child.litgrid = fit
sys.exit(child.main(sys.argv[1:]))
'''
CALL = """
import sys
from pathlib import Path
from litgrid.cli import main
from litgrid.cli.experiments import jobs
jobs.CHILD = (sys.argv[1],)
sys.exit(main(sys.argv[2:]))
"""
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The training that takes no time, in place of the real one."""
    path = tmp_path / "fake.py"
    path.write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr("litgrid.cli.experiments.jobs.CHILD", (str(path),))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The runs of each comparison that was made."""
    calls: list[list[str]] = []

    def compare(runs: list[Path], folder: Path, experiment: object, site: Path | None) -> None:  # noqa: ARG001
        calls.append([run.relative_to(folder.parents[1]).as_posix() for run in runs])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comparison.json").write_text(json.dumps({"runs": len(runs)}), encoding="utf-8")

    monkeypatch.setattr("litgrid.cli.experiments.final._compare", compare)
    return calls


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes an experiment: unless told else, two algorithms x two seeds on the small site."""

    def write(**changes: Any) -> Path:
        for name, algorithm in {"one": "SAC", "two": "PPO"}.items():
            config = tmp_path / f"{name}.yaml"
            if not config.exists():
                config.write_text(yaml.safe_dump({"model": {"class_path": algorithm}}), encoding="utf-8")
        values: dict[str, Any] = {
            "name": "study",
            "sites": [str(CONFIGS / "sites" / "small.yaml")],
            "algorithms": {"one": {"configs": ["one.yaml"]}, "two": {"configs": ["two.yaml"]}},
            "seeds": 2,
            "jobs": 2,
            **changes,
        }
        path = tmp_path / "experiment.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
        return path

    return write


def plan(path: Path) -> list[Part]:
    """The parts of an experiment's file."""
    return parts(read_experiment(path))


def finish(part: Part) -> None:
    """Make the files of a run that is done."""
    part.prepare()
    (part.folder / "checkpoints").mkdir(parents=True)
    for name in ("checkpoints/last.ckpt", "checkpoints/best.ckpt", "evaluation.json"):
        (part.folder / name).touch()


def test_the_matrix_and_its_commands(write: Write, tmp_path: Path) -> None:
    second = {"configs": ["one.yaml", "two.yaml"], "options": {"model.discount": 0.5, "data.site.name": "b"}}
    path = write(
        sites=[str(CONFIGS / "sites" / "small.yaml"), str(CONFIGS / "sites" / "iquitos.yaml")],
        algorithms={"one": {"configs": ["one.yaml"]}, "two": second},
        seeds=[4, 1],
        options={"model.discount": 0.9, "model.budget": {"total_frames": 8}, "trainer.logger": False},
    )
    planned = plan(path)
    assert [part.name for part in planned] == [
        *("small/one/seed-4", "small/two/seed-4", "iquitos/one/seed-4", "iquitos/two/seed-4"),
        *("small/one/seed-1", "small/two/seed-1", "iquitos/one/seed-1", "iquitos/two/seed-1"),
    ]
    assert len({part.settings for part in planned}) == 8
    last = planned[-1]
    assert last.folder == Path("runs") / "study" / "iquitos" / "two" / "seed-1"
    assert (last.log.name, last.record.name, last.lock.name) == ("seed-1.log", "seed-1.json", ".seed-1.lock")
    assert last.command == [
        "fit",
        f"--config={tmp_path / 'one.yaml'}",
        f"--config={tmp_path / 'two.yaml'}",
        "--data.site=null",
        f"--data.site={CONFIGS / 'sites' / 'iquitos.yaml'}",
        f"--runs={Path('runs') / 'study'}",
        "--experiment=iquitos",
        "--label=two",
        "--seed_everything=1",
        "--model.discount=0.5",
        '--model.budget={"total_frames": 8}',
        "--trainer.logger=false",
        "--data.site.name=b",
    ]


def test_a_part_trains_on_its_site_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What the small site leaves out has its default, and is not what the configuration's own site says."""
    part = plan(CONFIGS / "experiments" / "smoke.yaml")[0]
    with pytest.raises(SystemExit):
        main([*part.command, "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    assert yaml.safe_load(Path(CONFIGS / "sites" / "iquitos.yaml").read_bytes())["pv"]["inverters"] == 2
    assert (config["data"]["site"]["name"], config["data"]["site"]["pv"]["inverters"]) == ("small", 1)


def test_algorithms_have_seeds_by_site(write: Write) -> None:
    sites = [str(CONFIGS / "sites" / f"{name}.yaml") for name in ("small", "iquitos")]
    algorithms = {
        "one": {"configs": ["one.yaml"], "seeds": {"iquitos": 3, "small": [5]}},
        "two": {"configs": ["two.yaml"], "seeds": {"small": 2}},
        "three": {"configs": ["one.yaml"]},
    }
    path = write(sites=sites, algorithms=algorithms, seeds=1)
    assert [part.name for part in plan(path)] == [
        *("small/one/seed-5", "small/two/seed-0", "small/three/seed-0", "iquitos/one/seed-0", "iquitos/three/seed-0"),
        *("small/two/seed-1", "iquitos/one/seed-1", "iquitos/one/seed-2"),
    ]
    more = [part.name for part in parts(read_experiment(path, seeds=2))]
    trained = {("small", "one"), ("small", "two"), ("small", "three"), ("iquitos", "one"), ("iquitos", "three")}
    assert sorted(more) == sorted(f"{site}/{name}/seed-{seed}" for site, name in trained for seed in (0, 1))


def test_a_site_whose_files_are_missing_may_be_left_out(
    write: Write, compared: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8").replace("name: small", "name: measured", 1)
    (tmp_path / "measured.yaml").write_text(f"{small}carbon: {{file: {{path: carbon.csv}}}}\n", encoding="utf-8")
    recipe = {"one": {"configs": ["one.yaml"], "seeds": {"small": 1, "measured": 1}}}
    path = write(optional_sites=["measured.yaml"], algorithms=recipe)
    assert main(["experiment", "--config", str(path)]) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"measured: left out: {tmp_path / 'measured.yaml'}")
    assert "carbon.csv" in said.splitlines()[0]
    assert compared == [["small/one/seed-0"]]
    (tmp_path / "carbon.csv").write_text("carbon_kg_per_kwh\n0.5\n", encoding="utf-8")
    assert [part.name for part in plan(path)] == ["small/one/seed-0", "measured/one/seed-0"]
    (tmp_path / "carbon.csv").unlink()
    needed = write(sites=["measured.yaml"], algorithms=recipe)
    with pytest.raises(InputError, match=r"measured\.yaml"):
        plan(needed)


def test_a_file_that_goes_after_its_site_was_read_counts_as_missing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8").replace("name: small", "name: measured", 1)
    (tmp_path / "measured.yaml").write_text(f"{small}carbon: {{file: {{path: carbon.csv}}}}\n", encoding="utf-8")
    (tmp_path / "carbon.csv").write_text("carbon_kg_per_kwh\n0.5\n", encoding="utf-8")

    def read_and_remove(path: str) -> Site:
        site = read_site(path)
        if site.name == "measured":
            (tmp_path / "carbon.csv").unlink()
        return site

    monkeypatch.setattr("litgrid.cli.experiments.parts.read_site", read_and_remove)
    found = sites_of(read_experiment(write(optional_sites=["measured.yaml"])))
    assert [site.name for _, site in found.present] == ["small"]
    assert "carbon.csv: found No such file" in found.left_out["measured"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("capacity_kwh: 40", "capacity_kwh: -40"),
        ("capacity_kwh: 40", "capacity: 40"),
        ("name: measured", "base: none.yaml"),
    ],
)
def test_whatever_else_is_wrong_with_an_optional_site_is_an_error(
    write: Write, tmp_path: Path, old: str, new: str
) -> None:
    small = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8").replace("name: small", "name: measured", 1)
    assert old in small
    (tmp_path / "measured.yaml").write_text(small.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"measured\.yaml|none\.yaml"):
        plan(write(optional_sites=["measured.yaml"]))


def test_each_site_has_its_controllers(write: Write, compared: list[list[str]]) -> None:
    final = {"controllers": ["idle"], "site_controllers": {"small": ["uncontrolled", "optimum"]}}
    experiment = read_experiment(write(comparison=final, seeds=1))
    assert experiment.comparison.on("small") == ["uncontrolled", "optimum"]
    assert experiment.comparison.on("another") == ["idle"]
    for names in (["uncontrolled"], ["idle"], ["idle"]):
        path = write(comparison={"site_controllers": {"small": names}}, seeds=1)
        assert main(["experiment", "--config", str(path)]) == 0
    assert len(compared) == 2, "it is made again where they are others"


def test_only_what_a_run_is_made_from_counts(write: Write, tmp_path: Path) -> None:
    before = [part.settings for part in plan(write())]
    text = (tmp_path / "one.yaml").read_text(encoding="utf-8")
    (tmp_path / "one.yaml").write_text(f"# a comment\n{text}", encoding="utf-8")
    assert [part.settings for part in plan(write(jobs=1, threads=2, name="other", seeds=3))][:2] == before[:2]
    (tmp_path / "one.yaml").write_text(text.replace("SAC", "A2C"), encoding="utf-8")
    now = [part.settings for part in plan(write())]
    assert [old == new for old, new in zip(before, now, strict=True)] == [False, True, False, True]
    site = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8")
    (tmp_path / "site.yaml").write_text(f"{site}carbon: {{file: {{path: carbon.csv}}}}\n", encoding="utf-8")
    found = []
    for content in ("carbon_kg_per_kwh\n0.5\n", "carbon_kg_per_kwh\n0.6\n"):
        (tmp_path / "carbon.csv").write_text(content, encoding="utf-8")
        found.append(plan(write(sites=["site.yaml"]))[0].settings)
    assert len({before[0], *found}) == 3, "the content of a file that the site names counts"


def test_numbers_of_rules_count_for_the_comparison_alone(
    write: Write, compared: list[list[str]], tmp_path: Path
) -> None:
    site = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8").split("rules:")[0]
    path = write(sites=["site.yaml"], seeds=1)
    for spread in ("true", "false", "false"):
        text = f"{site}\nrules: {{time_of_use: {{spread: {spread}}}}}\n"
        (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
        for part in plan(path):
            if part.state() != "done":
                assert spread == "true"
                finish(part)
        assert main(["experiment", "--config", str(path)]) == 0
    assert len(compared) == 2
    assert plan(path)[0].rules == tmp_path / "site.yaml"
    assert plan(write(options={"data.site.battery.power_kw": 1}))[0].rules is None


def test_a_residual_is_made_from_the_rule_that_it_changes(write: Write, tmp_path: Path) -> None:
    site = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8").split("rules:")[0]
    residual = {"env": {"battery": "residual"}}
    (tmp_path / "two.yaml").write_text(
        yaml.safe_dump({"model": {"class_path": "PPO", "init_args": residual}}), encoding="utf-8"
    )
    found = []
    for margin in (0.1, 0.2):
        text = f"{site}\nrules: {{water_filling: {{load_margin: {margin}}}}}\n"
        (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
        one, two = plan(write(sites=["site.yaml"], seeds=1))
        option = plan(write(sites=["site.yaml"], seeds=1, options={"model.env.battery": "residual"}))[0]
        found.append([one.settings, two.settings, option.settings])
    assert [old == new for old, new in zip(*found, strict=True)] == [True, False, False]


def test_how_far_a_part_is(write: Write) -> None:
    part = plan(write())[0]
    assert part.state() == "new"
    part.prepare()
    (part.folder / "checkpoints").mkdir(parents=True)
    assert part.state() == "new"
    (part.folder / "checkpoints" / "last-0.ckpt").touch()
    assert part.state() == "unfinished"
    assert part.command[-2:] == ["--ckpt_path", str(part.folder / "checkpoints" / "last.ckpt")]
    (part.folder / "evaluation.json").touch()
    assert part.state() == "unfinished"
    (part.folder / "checkpoints" / "best.ckpt").touch()
    assert part.state() == "done"
    part.record.unlink()
    assert part.state() == "changed", "a run that somebody else made is not ours to go on with"


def test_a_part_whose_configuration_changed_is_set_aside(write: Write) -> None:
    root = Path("runs") / "study"
    for number, discount in enumerate((0.5, 0.6, 0.7)):
        part = plan(write(options={"model.discount": discount}))[0]
        assert part.state() == ("changed" if number else "new")
        moved = part.prepare()
        assert moved == (root / "replaced" / str(number) / "small" / "one" / "seed-0" if number else None)
        assert not part.folder.exists()
        (part.folder / "checkpoints").mkdir(parents=True)
        (part.folder / "checkpoints" / "last.ckpt").write_text(str(number), encoding="utf-8")
        part.log.write_text(str(number), encoding="utf-8")
    for number in (1, 2):
        old = root / "replaced" / str(number) / "small" / "one"
        assert (old / "seed-0" / "checkpoints" / "last.ckpt").read_text(encoding="utf-8") == str(number - 1)
        assert (old / "seed-0.log").read_text(encoding="utf-8") == str(number - 1)
        assert (old / "seed-0.json").is_file()


def test_the_machines_of_a_training_are_noted(write: Write) -> None:
    part = plan(write())[0]
    assert part.machines() == []
    for name in ("old", "first", "second", None, "second"):
        part.prepare(name)
        if name != "old":  # which ended before its first checkpoint
            (part.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            (part.folder / "checkpoints" / "last.ckpt").touch()
    assert part.machines() == ["first", "second"]


def test_what_ended_before_its_first_checkpoint_begins_anew(write: Write) -> None:
    part = plan(write())[0]
    part.prepare()
    part.folder.mkdir(parents=True)
    (part.folder / "config.yaml").touch()
    assert part.prepare() is None
    assert not part.folder.exists()


def test_an_experiment_runs_whole_and_then_has_nothing_to_do(
    write: Write,
    compared: list[list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_SERVICE", "of somebody else")
    call = ["experiment", "--config", str(write(threads=3)), "--json", str(tmp_path / "figures.json")]
    assert main([*call, "--dry-run"]) == 0
    assert capsys.readouterr().err.count("begins") == 4
    assert not Path("runs").exists()
    assert main(call) == 0
    said = capsys.readouterr().err
    assert "study: 4 parts, 0 of them done" in said
    assert said.count("begins (log:") == said.count("done after") == 4
    assert "4 of 4" in said
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [(row["state"], row["status"], row["exit_code"]) for row in figures["parts"]] == [("done", "done", 0)] * 4
    log = Path(figures["parts"][0]["log"]).read_text(encoding="utf-8")
    assert "fit with 3 threads in study/small, W&B's process: False" in log
    assert plan(Path(call[2]))[0].machines() == [machine_in_words()]
    assert compared == [["small/one/seed-0", "small/two/seed-0", "small/one/seed-1", "small/two/seed-1"]]
    (comparison,) = figures["comparisons"]
    assert comparison == {
        "site": "small",
        "folder": str(Path("runs") / "study" / "comparison" / "small"),
        "missing": [],
        "figures": {"runs": 4},
    }
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*") if not path.name.endswith(".lock")}
    assert main(call) == 0
    assert "4 parts, 4 of them done" in capsys.readouterr().err
    assert len(compared) == 1
    after = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*") if not path.name.endswith(".lock")}
    assert before == after
    assert main([*call, "--seeds", "3"]) == 0
    assert capsys.readouterr().err.count("begins (log:") == 2
    assert len(compared[1]) == 6


def test_a_part_that_fails_is_reported_and_the_rest_completed(
    write: Write, compared: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"one": {"configs": ["one.yaml"], "options": {"broken": True}}, "two": {"configs": ["two.yaml"]}}
    call = ["experiment", "--config", str(write(algorithms=broken)), "--json", str(tmp_path / "figures.json")]
    assert main(call) == 1
    said = capsys.readouterr().err
    log = Path("runs") / "study" / "small" / "one" / "seed-0.log"
    assert "small/one/seed-0: failed with exit code 2 after 00:0" in said
    assert f": litgrid: broken: found true, expected nothing (log: {log})" in said
    assert "small: compared without small/one/seed-0, small/one/seed-1" in said
    assert said.endswith("litgrid: 2 of 4 parts failed; the same command tries them again\n")
    assert compared == [["small/two/seed-0", "small/two/seed-1"]]
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [(row["state"], row["status"]) for row in figures["parts"]] == [("new", "failed"), ("done", "done")] * 2
    assert figures["comparisons"][0]["missing"] == ["small/one/seed-0", "small/one/seed-1"]
    assert main([*call[:2], str(write())]) == 0, "its settings are mended"
    assert capsys.readouterr().err.count("begins (log:") == 2
    assert len(compared[1]) == 4


def test_where_nothing_is_done_nothing_is_compared(
    write: Write, compared: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "--config", str(write(options={"broken": True}, seeds=1))]) == 1
    assert "small: there is nothing to compare" in capsys.readouterr().err
    assert compared == []


def steps(part: Part) -> list[int]:
    """The steps of a fake training, in the order in which they were made."""
    path = part.folder / "steps.txt"
    return [int(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what has to come."""
    end = time.monotonic() + 240
    while not holds():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.02)


def stop_at_step(*begun: Part, number: signal.Signals = signal.SIGTERM) -> None:
    """Send this process a signal when parts have made a step."""

    def send() -> None:
        wait_until(lambda: all(steps(part) for part in begun))
        os.kill(os.getpid(), number)

    threading.Thread(target=send, daemon=True).start()


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_parts_which_go_on_later(
    write: Write, compared: list[list[str]], capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    slow = {"one": {"configs": ["one.yaml"]}, "two": {"configs": ["two.yaml"]}}
    call = ["experiment", "--config", str(write(algorithms=slow, options={"steps": 100_000}))]
    first, second, third, _ = plan(Path(call[-1]))
    stop_at_step(first, second, number=number)
    assert main(call) == 128 + number
    said = capsys.readouterr().err
    assert said.count("stopped after 00:") == 2
    assert said.endswith("litgrid: stopped; the same command goes on\n")
    assert (first.state(), second.state(), third.state()) == ("unfinished", "unfinished", "new")
    assert compared == []
    made = steps(first)
    assert made[-1] == int((first.folder / "checkpoints" / "last.ckpt").read_text(encoding="utf-8"))
    for part in (first, second):  # the rest of them is short
        (part.folder / "checkpoints" / "last.ckpt").write_text("99998", encoding="utf-8")
    assert main([*call, "--seeds", "1"]) == 0
    assert capsys.readouterr().err.count("goes on (log:") == 2
    assert steps(first) == [*made, 99_999, 100_000], "it has gone on, and not begun anew"


@POSIX
def test_an_experiment_that_is_killed_leaves_nobody_behind(
    write: Write, compared: list[list[str]], fake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["experiment", "--config", str(write(options={"steps": 100_000}))]
    first, second, *_ = plan(Path(call[-1]))
    command = [sys.executable, "-c", CALL, str(fake), *call]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE) as process:
        wait_until(lambda: bool(steps(first) and steps(second)) or process.poll() is not None)
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert main(call) == 1, "one at a time"
        assert "another call works on this experiment" in capsys.readouterr().err
        os.killpg(process.pid, signal.SIGKILL)
    for part in (first, second):
        with FileLock(part.lock).acquire(timeout=60):
            assert part.log.read_text(encoding="utf-8").rstrip().endswith(f"stopped after {steps(part)[-1]}")
        assert part.state() == "unfinished"
        (part.folder / "checkpoints" / "last.ckpt").write_text("99999", encoding="utf-8")
    assert main([*call, "--seeds", "1"]) == 0
    assert steps(first)[-1] == 100_000
    assert compared == [["small/one/seed-0", "small/two/seed-0"]]


def ray_is_usable() -> bool:
    """Whether it is installed, and what it imports where it is there: pyarrow may be made for another numpy."""
    try:
        importlib.import_module("pyarrow")
    except ModuleNotFoundError:
        pass
    except ImportError:
        return False
    return importlib.util.find_spec("ray") is not None


@POSIX
@pytest.mark.slow
@pytest.mark.skipif(not ray_is_usable(), reason="needs the extra ray, with a pyarrow for this numpy")
def test_an_experiment_on_ray_stops_goes_on_and_ends(
    write: Write, compared: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["experiment", "--config", str(write(options={"steps": 100_000}, backend="ray", seeds=1))]
    first, second = plan(Path(call[-1]))
    stop_at_step(first, second)
    assert main(call) == 128 + signal.SIGTERM
    said = capsys.readouterr().err
    assert said.endswith("litgrid: stopped; the same command goes on\n")
    made = steps(first)
    for part in (first, second):
        with FileLock(part.lock).acquire(timeout=60):
            assert part.state() == "unfinished"
        assert part.log.read_text(encoding="utf-8").rstrip().endswith(f"stopped after {steps(part)[-1]}")
        (part.folder / "checkpoints" / "last.ckpt").write_text("99999", encoding="utf-8")
    assert main(call) == 0
    assert steps(first) == [*made, 100_000]
    assert compared == [["small/one/seed-0", "small/two/seed-0"]]


def test_parts_of_an_earlier_call_are_waited_for(
    write: Write, compared: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(seeds=1)
    part = plan(path)[0]
    part.lock.parent.mkdir(parents=True)
    monkeypatch.setattr("litgrid.cli.experiment.STOPPING_SECONDS", 0.1)
    with FileLock(part.lock):
        assert main(["experiment", "--config", str(path)]) == 1
    said = capsys.readouterr().err
    assert "small/one/seed-0: still there from an earlier call; waiting until it has stopped" in said
    assert "small/one/seed-0: it has not stopped for 0.1 s" in said
    assert compared == []


BASE: dict[str, Any] = {"algorithms": {"one": {"configs": ["one.yaml"]}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "seeds: found none, expected at least one"),
        ({"seeds": [1, 1]}, r"seeds: found \[1, 1\], expected each once"),
        ({"seeds": [-1]}, r"seeds: found \[-1\], expected none below 0"),
        ({"sites": []}, "sites: found none, expected at least one"),
        ({"sites": ["none.yaml"]}, "sites: .*File does not exist: .*none.yaml"),
        ({"algorithms": {}}, "algorithms: found none, expected at least one"),
        ({"algorithms": {"a/b": {"configs": []}}}, "algorithms: found a/b, expected a name for a folder"),
        ({"algorithms": {"one": {"configs": ["none.yaml"]}}}, "File does not exist: .*none.yaml"),
        ({"algorithms": {"one": {"configs": [], "option": {"x": 1}}}}, "Option 'option.x' is not accepted"),
        ({"jobs": 0}, "jobs: found 0, expected at least 1"),
        ({"jobs": "many"}, "jobs: Expected a int. Got value: many"),
        ({"threads": 0}, "threads: found 0, expected at least 1"),
        ({"name": "../x"}, "name: found ../x, expected a name for a folder"),
        ({"backend": "slurm"}, "backend: Expected .*'process', 'ray'.*Got value: slurm"),
        ({"comparison": {"controllers": ["best"]}}, "controllers: found 'best', expected some of: idle"),
        ({"options": {"seed_everything": 3}}, "options: found seed_everything, expected options that"),
        ({"job": 1}, "does not accept option 'job'"),
        ({"algorithms": {"one": {"configs": [], "seeds": {"small": 0}}}}, "algorithms.one.seeds: found none, expected"),
        ({"comparison": {"site_controllers": {"small": ["best"]}}}, "controllers: found 'best', expected some of"),
    ],
)
def test_wrong_input_is_one_line(write: Write, changes: dict[str, Any], message: str) -> None:
    path = write(**{**BASE, **changes})
    with pytest.raises(InputError, match=message) as error:
        read_experiment(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_sites_have_names_of_their_own(write: Write, tmp_path: Path) -> None:
    text = (CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8")
    small = str(CONFIGS / "sites" / "small.yaml")
    for name in ("small", "comparison", "a/b"):
        (tmp_path / "again.yaml").write_text(text.replace("name: small", f"name: {name}", 1), encoding="utf-8")
        with pytest.raises(InputError, match=f"sites: found the name '{name}', expected one of its own"):
            plan(write(sites=[small, "again.yaml"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"algorithms": {"one": {"configs": [], "seeds": {"big": 1}}}},
            "algorithms.one.seeds: found the site 'big', exp",
        ),
        (
            {"comparison": {"site_controllers": {"big": []}}},
            "comparison.site_controllers: found the site 'big', expected",
        ),
        ({"results": {"flexibility": ["big"]}}, "results: found the site 'big', expected some of: small"),
        (
            {"results": {"transfer": [{"algorithm": "three", "site": "small", "to": ["small"]}]}},
            "results.transfer: found three on small, expected what is trained",
        ),
    ],
)
def test_names_of_sites_that_are_not_there_are_refused(write: Write, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(write(**{**BASE, **changes}))


def test_a_missing_file_and_ray_that_is_missing_are_named(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="found No such file or directory, expected an experiment's file"):
        read_experiment(Path("none.yaml"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"backend: found ray, .*expected pip install 'litgrid\[ray\]'"):
        read_experiment(write(backend="ray"))


@pytest.mark.parametrize("name", ["iquitos", "smoke"])
def test_the_experiments_that_come_with_the_project(name: str) -> None:
    planned = plan(CONFIGS / "experiments" / f"{name}.yaml")
    assert {part.algorithm for part in planned} == {"sac", "ppo", "a2c"}


def test_the_experiment_of_the_results() -> None:
    """Ten seeds of SHAC on the site, three of each other, one where agents move to; measured years if there."""
    experiment = read_experiment(CONFIGS / "experiments" / "results.yaml")
    found = Counter((part.site, part.algorithm) for part in parts(experiment))
    measured = found.pop(("iquitos_measured", "shac"), None)
    assert measured in (None, 3)
    assert found == {
        ("iquitos", "shac"): 10,
        **{("iquitos", f"{name}{kind}"): 3 for name in ("sac", "ppo", "a2c") for kind in ("", "_residual")},
        ("iquitos_quarter_battery", "shac"): 3,
        **{(f"iquitos_design_day{kind}", "shac_vehicles"): 3 for kind in ("", "_v2g")},
        ("iquitos_no_battery", "shac_sockets"): 3,
        **{(f"iquitos_no_battery_{sockets}", "shac_sockets"): 1 for sockets in (38, 512)},
        ("iquitos_no_battery", "shac_sockets_served"): 3,
    }
    for _, site in sites_of(experiment).present:
        assert ("mpc" in experiment.comparison.on(site.name)) is (site.step_seconds == 3600), "else it takes too long"

"""A search with a training that takes no time, and a known best: what is proposed, scored, resumed and written."""

from __future__ import annotations

import csv
import dataclasses
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litgrid.cli import main
from litgrid.cli.experiments.config import Experiment, read_experiment
from litgrid.cli.experiments.parts import Part, parts
from litgrid.cli.experiments.search import Trials
from litgrid.cli.experiments.space import Sampler, Search, Setting
from litgrid.cli.experiments.study import Study, options_of, proposal
from litgrid.cli.experiments.trials import score
from litgrid.cli.experiments.work import Outcome
from litgrid.errors import InputError, Stopped

pytest.importorskip("optuna", reason="needs the extra search")

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = CONFIGS / "sites" / "small.yaml"
FAKE = '''
"""The process of a run: its objective is known, (rate - 0.3)^2 + seed, and a batch takes as long as it says."""
import json, os, signal, sys, time
from pathlib import Path
from litgrid.cli.experiments import child

def fit(arguments):
    options = dict(argument[2:].split("=", 1) for argument in arguments if "=" in argument)
    label, seed = options["label"], int(options["seed_everything"])
    run = Path(options["runs"]) / options["experiment"] / label / f"seed-{seed}"
    checkpoints, rate, steps = run / "checkpoints", float(options["rate"]), int(options.get("steps", 1))
    going_on = "--ckpt_path" in arguments
    if going_on != run.exists():
        print("the folder is not as it should be")
        return 9
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    (checkpoints / "buffer").mkdir(parents=True, exist_ok=True)
    last = checkpoints / "last.ckpt"
    done = int(last.read_text()) if going_on else 0
    last.write_text(str(done))
    with (run / "attempts.txt").open("a") as file:
        file.write("x")
    while done < steps:
        if stop:
            last.write_text(str(done))
            print(f"stopped after {done}")
            return 143
        time.sleep(0.02)
        done += 1
    if json.loads(options["shape"])["width"] == 0 and not Path("mended").exists():
        print("litgrid: width: found 0, expected at least 1")
        return 2
    (checkpoints / "best.ckpt").touch()
    (run / "metrics.csv").write_text("frames,time/minutes\\n0,0.0\\n64,1.5\\n")
    own = {"label": label, "runs": "r", "experiment": "e", "keep_last": 2, "json": None, "ckpt_path": None}
    model, data = {"class_path": "PPO", "init_args": {"rate": rate}}, {"folder": "f", "site": "s"}
    config = {"seed_everything": seed, **own, "model": model, "data": data}
    (run / "config.yaml").write_text(json.dumps(config))
    row = {"objective": (rate - 0.3) ** 2 + seed, "ev_service": 1.0 - seed / 10}
    rows = [{"controller": "uncontrolled", "objective": 0.0}, {"controller": label, **row}]
    (run / "evaluation.json").write_text(json.dumps({"split": "validation", "controllers": rows}))
    return 0

child.litgrid = fit
sys.exit(child.main(sys.argv[1:]))
'''
CALL = """
import sys
from litgrid.cli import main
from litgrid.cli.experiments import jobs
jobs.CHILD = (sys.argv[1],)
sys.exit(main(sys.argv[2:]))
"""
SPACE = {
    "rate": {"floats": [0.01, 1.0], "log": True},
    "depth": {"ints": [1, 4]},
    "shape": {"choices": [{"width": 1}, {"width": 2}]},
}
FOLDER = Path("runs") / "study"
Write = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The training that takes no time, in place of the real one."""
    path = tmp_path / "fake.py"
    path.write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr("litgrid.cli.experiments.jobs.CHILD", (str(path),))
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a search, and returns the command: unless told else, five trials of two seeds."""

    def write(options: dict[str, Any] | None = None, **search: Any) -> list[str]:
        (tmp_path / "one.yaml").write_text(yaml.safe_dump({"model": {"class_path": "PPO"}}), encoding="utf-8")
        values: dict[str, Any] = {
            "name": "study",
            "sites": [str(SMALL)],
            "algorithms": {"one": {"configs": ["one.yaml"], "options": options or {}}},
            "seeds": 2,
            "jobs": 2,
            "search": {"space": SPACE, "trials": 5, **search},
        }
        path = tmp_path / "search.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return ["experiment", "--config", str(path)]

    return write


def table() -> list[dict[str, str]]:
    """The rows of ``trials.csv``."""
    with (FOLDER / "trials.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tried() -> list[tuple[str, str, str]]:
    """What was proposed, by number."""
    return [(row["rate"], row["depth"], row["shape"]) for row in table()]


def attempts() -> int:
    """Processes that were started."""
    return sum(len(path.read_text(encoding="utf-8")) for path in FOLDER.glob("small/*/seed-*/attempts.txt"))


def test_a_search_runs_whole_and_then_has_nothing_to_do(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    call = write()
    assert main([*call, "--dry-run"]) == 0
    assert capsys.readouterr().err == "study: 5 of 5 trials are not proposed yet\n"
    assert not Path("runs").exists()
    assert main([*call, "--json", "figures.json"]) == 0
    said = capsys.readouterr()
    assert "study: 5 trials, 0 of them done; into" in said.err
    assert "10 of 10" in said.err
    rows = table()
    assert [row["state"] for row in rows] == ["done"] * 5
    for row in rows:
        cost = (float(row["rate"]) - 0.3) ** 2
        assert float(row["objective_seed_0"]) == pytest.approx(cost)
        assert float(row["objective_seed_1"]) == pytest.approx(cost + 1)
        assert float(row["objective"]) == pytest.approx(cost + 0.5), "the mean over the seeds"
        assert (float(row["ev_service"]), float(row["minutes"])) == (0.9, 3.0)
    best = min(rows, key=lambda row: float(row["objective"]))
    figures = json.loads(Path("figures.json").read_text(encoding="utf-8"))
    assert (figures["best"], len(figures["trials"])) == (int(best["trial"]), 5)
    kept = yaml.safe_load((FOLDER / "best.yaml").read_text(encoding="utf-8"))
    assert kept == {"model": {"class_path": "PPO", "init_args": {"rate": float(best["rate"])}}, "data": {"site": "s"}}
    markdown = (FOLDER / "trials.md").read_text(encoding="utf-8").splitlines()
    assert markdown[0].startswith("# study: 5 of 5 trials, objective on the validation years (mean over seeds 0, 1)")
    assert markdown[4].startswith(f"| {best['trial']} | done |")
    assert said.out.splitlines()[1].split()[:2] == [best["trial"], "done"]
    assert not list(FOLDER.rglob("last*.ckpt")), "a run that is done keeps weights, not what it would go on from"
    assert not list(FOLDER.rglob("buffer"))
    assert not (FOLDER / "comparison").exists(), "it would look at test years"
    assert main(call) == 0
    assert attempts() == 10
    assert main(write(trials=6)) == 0
    assert attempts() == 12
    assert tried()[:5] == [(row["rate"], row["depth"], row["shape"]) for row in rows]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_proposal_is_a_function_of_seed_number_and_history(sampler: Sampler, tmp_path: Path) -> None:
    search = Search({"rate": Setting(floats=(0.01, 1.0), log=True)}, trials=20, sampler=sampler, seed=3)

    def rates(folder: Path, search: Search, *, anew: bool) -> list[float]:
        """Twenty trials told in order; ``anew``: by a process that knows nothing but the file."""
        study = Study(folder, search, {}, kept=True)
        for number in range(20):
            study = Study(folder, search, {}, kept=True) if anew else study
            trial = study.propose()
            study.tell(number, (trial.options["rate"] - 0.3) ** 2)
        return [trial.options["rate"] for trial in study.trials]

    found = rates(tmp_path / "a", search, anew=False)
    assert rates(tmp_path / "b", search, anew=True) == found
    assert len(set(found)) == 20
    other = Search(search.space, trials=20, sampler=search.sampler, seed=4)
    assert rates(tmp_path / "c", other, anew=False) != found


def test_tpe_looks_where_it_was_good(tmp_path: Path) -> None:
    errors = {}
    samplers: tuple[Sampler, ...] = ("random", "tpe")
    for sampler in samplers:
        search = Search({"x": Setting(floats=(0.0, 1.0))}, trials=40, sampler=sampler)
        study = Study(tmp_path / sampler, search, {}, kept=False)
        for number in range(40):
            study.tell(number, (study.propose().options["x"] - 0.3) ** 2)
        late = [abs(trial.options["x"] - 0.3) for trial in study.trials[20:]]
        errors[sampler] = sum(late) / len(late)
    assert errors["tpe"] < 0.7 * errors["random"]


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.001, 1e3), seed=st.integers(0, 1000), log=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_proposals_lie_in_their_ranges_and_are_short(low: float, factor: float, seed: int, log: bool) -> None:
    high = low * factor
    ranges = {
        "x": Setting(floats=(low, high), log=log),
        "n": Setting(ints=(1, 9), log=log),
        "c": Setting(choices=[None, True, 0.5, "a", [1, 2], {"b": 1}]),
    }
    search = Search(ranges, sampler="random", seed=seed)
    options = options_of(search, proposal(search, []))
    assert low <= options["x"] <= high
    assert options["x"] in (low, high, float(f"{options['x']:.4g}"))
    assert 1 <= options["n"] <= 9
    assert options["c"] in [None, True, 0.5, "a", [1, 2], {"b": 1}]


def finish(part: Part) -> None:
    """Make the files of a run that is done, whose objective is known."""
    part.prepare()
    options = dict(option[2:].split("=", 1) for option in part.options)
    (part.folder / "checkpoints").mkdir(parents=True)
    (part.folder / "checkpoints" / "best.ckpt").touch()
    row = {"controller": part.algorithm, "objective": float(options["rate"]) + part.seed, "ev_service": 1.0}
    figures = {"split": "validation", "controllers": [row]}
    (part.folder / "evaluation.json").write_text(json.dumps(figures), encoding="utf-8")
    (part.folder / "config.yaml").write_text("model: {}\n", encoding="utf-8")


def test_what_is_proposed_depends_neither_on_how_long_runs_take_nor_on_interruptions(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def told(search: Search, earlier: Sequence[Any]) -> dict[str, Any]:  # noqa: ARG001
        """A proposal in which one can read what the study knew."""
        known = sum(2.0 ** (-trial.number - 1) for trial in earlier if trial.value is not None)
        return {"rate": 0.01 + 0.9 * known, "depth": 1, "shape": json.dumps({"width": 1})}

    def in_any_order(order: random.Random, stops: float) -> Callable[..., list[Outcome]]:
        """In place of processes: runs end in any order, and with a chance the call is stopped after each."""

        def work(parts: Sequence[Part], experiment: Experiment, say: object, *, further: Any, total: int) -> Any:  # noqa: ARG001
            waiting, running = list(parts), list[Part]()
            while waiting or running:
                running, waiting = [*running, *waiting][: experiment.jobs], [*running, *waiting][experiment.jobs :]
                part = running.pop(order.randrange(len(running)))
                finish(part)
                if order.random() < stops:
                    raise Stopped("stopped", code=143)
                waiting += further(Outcome(part, "done", 0, 0.0))
            return []

        return work

    monkeypatch.setattr("litgrid.cli.experiments.study.proposal", told)
    call = [*write(trials=6), "--jobs", "3"]
    found = set()
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        order = random.Random(number)
        monkeypatch.setattr("litgrid.cli.experiments.search.work", in_any_order(order, stops=number / 4))
        while main(call) != 0:
            pass
        found.add(tuple(row["rate"] for row in table()))
    assert len(found) == 1
    rates = [float(rate) for rate in found.pop()]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.46, 0.685, 0.7975]), "trial n knows of those up to n - jobs"


def test_a_trial_that_fails_is_reported_the_rest_goes_on_and_it_is_tried_again(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = {**SPACE, "shape": {"choices": [{"width": 0}]}}
    call = write(trials=2, space=shapes)
    assert main([*call, "--json", "figures.json"]) == 1
    said = capsys.readouterr()
    assert said.err.endswith("litgrid: 2 of 2 trials failed; the same command tries them again\n")
    assert [row["state"] for row in table()] == ["failed", "failed"]
    assert re.fullmatch("small/trial-0/seed-[01]: litgrid: width: found 0, expected at least 1", table()[0]["note"])
    assert json.loads(Path("figures.json").read_text(encoding="utf-8"))["best"] is None
    assert not (FOLDER / "best.yaml").exists()
    Path("mended").touch()
    before = tried()
    assert main(call) == 0
    assert tried() == before
    assert [row["state"] for row in table()] == ["done", "done"]


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals, and keeps open files in place")


@POSIX
def test_killed_in_the_middle_it_goes_on_with_the_same_trials(write: Write, fake: Path) -> None:
    whole = write(trials=3)
    assert main(whole) == 0
    expected = tried()
    FOLDER.rename("runs/whole")
    call = write(options={"steps": 40}, trials=3)
    process = subprocess.Popen([sys.executable, "-c", CALL, str(fake), *call])
    end = time.monotonic() + 120
    while not (FOLDER / "small" / "trial-1" / "seed-0").exists() and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert main([*call, "--dry-run"]) == 0
    ended = len(list(FOLDER.glob("small/*/seed-*/evaluation.json")))
    assert 0 < ended < 6
    assert main(call) == 0
    assert tried() == expected
    assert attempts() <= 6 + 2, "what was done is not done again; the two at work went on"


@POSIX
def test_runs_whose_study_is_lost_are_not_made_again(write: Write) -> None:
    call = write(trials=2)
    assert main(call) == 0
    before = tried()
    (FOLDER / "search.db").unlink()
    assert main(call) == 0
    assert (tried(), attempts()) == (before, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {**SPACE, "rate": {"floats": [0.01, 0.5]}}}, "search.space: found others, expected those of"),
        ({"options": {"model.discount": 0.5}}, "configs, options or site: found others, expected those of"),
    ],
)
def test_a_search_of_something_else_is_refused(
    write: Write, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    assert main(write(trials=1)) == 0
    capsys.readouterr()
    assert main(write(trials=1, **changes)) == 2
    assert message in capsys.readouterr().err
    assert attempts() == 2


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"space": {}}, "search.space: found none, expected at least one option of fit"),
        ({"trials": 0}, "search.trials: found 0, expected at least 1"),
        ({"seed": -1}, "search.seed: found -1, expected none below 0"),
        ({"sampler": "best"}, "best"),
        (
            {"space": {"rate": {"log": True}}},
            "search.space.rate: found nothing, expected one of choices, floats and ints",
        ),
        ({"space": {"rate": {"floats": [0, 1], "ints": [0, 1]}}}, "rate: found floats and ints, expected one of"),
        ({"space": {"rate": {"choices": []}}}, "search.space.rate.choices: found none, expected at least one"),
        (
            {"space": {"rate": {"choices": [1], "log": True}}},
            "rate.log: found true with choices, expected floats or ints",
        ),
        ({"space": {"rate": {"floats": [1, 0]}}}, r"rate: found \[1.0, 0.0\], expected a lower and a higher number"),
        ({"space": {"rate": {"floats": [0, 1], "log": True}}}, r"\[0.0, 1.0\] with log, expected numbers above 0"),
        ({"space": {"rate": {"floats": [0.1]}}}, "floats"),
        ({"space": {"rate": {"floats": [0.1, 0.2], "step": 1}}}, "step"),
        ({"space": {"seed_everything": {"ints": [0, 9]}}}, "search.space: found seed_everything, expected options of"),
        ({"space": {"data.site.name": {"choices": ["a"]}}}, "search.space: found data.site.name, expected options of"),
    ],
)
def test_wrong_input_is_one_line(write: Write, search: dict[str, Any], message: str) -> None:
    path = Path(write(**search)[-1])
    with pytest.raises(InputError, match=message) as error:
        read_experiment(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_one_site_and_one_algorithm_are_searched(write: Write) -> None:
    path = Path(write()[-1])
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["algorithms"]["two"] = {"configs": ["one.yaml"]}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(InputError, match="algorithms: found 2 with search, expected one"):
        read_experiment(path)


def test_without_optuna_a_line_says_what_installs_it(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    call = write()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"search: found no Optuna.* expected pip install 'litgrid\[search\]'"):
        read_experiment(Path(call[-1]))


def test_figures_of_other_years_are_no_score(write: Write) -> None:
    part = parts(dataclasses.replace(read_experiment(Path(write(options={"rate": 0.5})[-1])), search=None))[0]
    finish(part)
    assert score([part]) == 0.5
    path = part.folder / "evaluation.json"
    path.write_text(path.read_text(encoding="utf-8").replace("validation", "test"), encoding="utf-8")
    with pytest.raises(ValueError, match="found figures of test years, expected the agent's on validation years"):
        score([part])


@pytest.mark.parametrize("name", ["search", "search_smoke"])
def test_the_searches_that_come_with_the_project(name: str) -> None:
    experiment = read_experiment(CONFIGS / "experiments" / f"{name}.yaml")
    assert experiment.search is not None
    trials = Trials(experiment, experiment.search, print, kept=False)
    for _ in range(3):
        trials.study.propose()
    assert [row.state for row in trials.rows] == ["new"] * 3

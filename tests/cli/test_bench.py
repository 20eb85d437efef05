"""``bench sim`` measures, reports, and refuses wrong options."""

import importlib.util
import json
from pathlib import Path

import pytest

from litgrid.cli.main import main

NO_CITYLEARN = importlib.util.find_spec("citylearn") is None


def test_bench_sim_reports_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "bench.json"
    options = ["--envs", "64,512", "--sockets", "4", "--seconds", "0.01", "--json", str(target)]
    assert main(["bench", "sim", *options]) == 0
    figures = json.loads(target.read_text(encoding="utf-8"))
    assert figures["machine"]["cores"] >= 1
    cpu = [row for row in figures["rows"] if row["device"] == "cpu" and row["backend"] == "litgrid"]
    assert [(row["mode"], row["envs"]) for row in cpu] == [("env", 64), ("physics", 64), ("env", 512), ("physics", 512)]
    for row in figures["rows"]:
        assert row["sockets"] == 4
        assert row["steps_per_second"] > 0
        assert (row["ratio_to_citylearn"] is None) == NO_CITYLEARN
    assert "steps/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--envs", "1,x"], "--envs: found '1,x', expected whole numbers from 1 on, as in 1,64,1024"),
        (["--envs", "0"], "--envs: found '0', expected whole numbers from 1 on, as in 1,64,1024"),
        (["--sockets", "1"], "--sockets: found 1, expected at least 2"),
        (["--json", "no/such/folder/x.json"], "no folder"),
        (["--speed", "3"], "--speed"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "sim", "--seconds", "0", *options]) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert captured.count("\n") == 1

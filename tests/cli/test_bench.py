"""``bench sim`` measures, reports, and refuses wrong options."""

import importlib.util
import json
from pathlib import Path

import pytest

from litgrid.cli import bench
from litgrid.cli.main import main

NO_CITYLEARN = importlib.util.find_spec("citylearn") is None


def test_bench_sim_reports_every_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "missing", lambda _: "a C++ compiler")  # compiling takes 20 seconds
    target = tmp_path / "bench.json"
    options = ["--envs", "512", "--sockets", "4", "--seconds", "0.01", "--json", str(target)]
    assert main(["bench", "sim", *options]) == 0
    figures = json.loads(target.read_text(encoding="utf-8"))
    assert figures["machine"]["cores"] >= 1
    cpu = [row for row in figures["rows"] if row["device"] == "cpu" and row["backend"] == "litgrid"]
    assert [(row["mode"], row["sockets"]) for row in cpu] == [("env", 4), ("physics", 4)]
    for row in cpu:
        assert row["envs"] == 512
        assert row["occupied"] > 0.3
        assert row["start_hours"] > 1000
    assert figures["machine"]["cpu_memory_gb_per_s"] > 0
    # action, battery and sockets; 6 tables, SOCs read and written; 109 site features and 7 per socket
    assert cpu[0]["bytes_per_step"] == 4 * ((1 + 4) + 6 * 4 + 2 * 4 + 109 + 7 * 4)
    for row in figures["rows"]:
        assert row["steps_per_second"] > 0
        assert (row["ratio_to_citylearn"] is None) == NO_CITYLEARN
    assert "steps/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--envs", "1,x"], "--envs: found '1,x', expected whole numbers from 1 on, as in 8,64,512"),
        (["--envs", "0"], "--envs: found '0', expected whole numbers from 1 on, as in 8,64,512"),
        (["--sockets", "1"], "--sockets: found '1', expected whole numbers from 2 on, as in 8,64,512"),
        (["--json", "no/such/folder/x.json"], "no folder"),
        (["--speed", "3"], "--speed"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "sim", "--seconds", "0", *options]) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert captured.count("\n") == 1

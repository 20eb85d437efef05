"""``bench sim`` measures, reports, and refuses wrong options."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from litgrid.cli import bench_growth, bench_memory, bench_speed
from litgrid.cli.bench_tools import bench_scenarios
from litgrid.cli.main import main

NO_CITYLEARN = importlib.util.find_spec("citylearn") is None


def test_bench_sim_reports_every_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_speed, "missing", lambda _: "a C++ compiler")  # compiling takes 20 seconds
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
    # action, battery and sockets; 6 tables, SOCs read and written; 157 site features and 7 per socket
    assert cpu[0]["bytes_per_step"] == 4 * ((1 + 4) + 6 * 4 + 2 * 4 + 162 + 7 * 4)
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
        (["--plot", "growth.pdf"], "--plot: found growth.pdf, expected a name that ends in .png"),
        (["--json", "no/such/folder/x.json"], "no folder"),
        (["--speed", "3"], "--speed"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "sim", "--seconds", "0", *options]) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert captured.count("\n") == 1


def growth(power: float) -> list[dict[str, float | str]]:
    """Curves that grow with a power of the count."""
    return [
        {"of": of, "count": count, "ms_per_step": 0.1 * count**power}
        for of in bench_growth.LABELS
        for count in (1, 4, 64)
    ]


def test_growth_is_linear_where_its_slope_is_one_and_is_drawn(tmp_path: Path) -> None:
    assert bench_growth.slopes(growth(1.0)) == pytest.approx(dict.fromkeys(bench_growth.LABELS, 1.0))
    assert bench_growth.slopes(growth(0.5)) == pytest.approx(dict.fromkeys(bench_growth.LABELS, 0.5))
    bench_growth.draw(growth(1.0), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_growth_measures_every_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, counts in {"SOCKETS": (4, 8), "ENVS": (1, 2), "YEARS": (1,), "BUILDINGS": (1, 2), "BATCH": 4}.items():
        monkeypatch.setattr(bench_growth, name, counts)
    monkeypatch.setattr(
        bench_growth, "bench_scenarios", lambda sockets, years=2: bench_scenarios(min(sockets, 8), years)
    )
    measured = bench_growth.measure(0.0)
    assert [(row["of"], row["count"]) for row in measured] == [
        *(("sockets", 4), ("sockets", 8), ("envs", 1), ("envs", 2)),
        *(("years", 1), ("buildings", 1), ("buildings", 2)),
    ]
    assert min(row["ms_per_step"] for row in measured) > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows: Python can't read a process's highest memory")
def test_memory_is_that_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_memory, "YEARS", 1)
    monkeypatch.setattr(bench_memory, "SOCKETS", 4)
    memory = bench_memory.measure()
    # a row: 14 series, 2 bookings, 3 parts for each socket, and 159 features of the observation
    assert memory["table_bytes"] == 4 * 8761 * (14 + 2 + 3 * 4 + 159)
    assert memory["peak_bytes"] >= memory["scenarios_peak_bytes"] >= memory["program_bytes"] > 0

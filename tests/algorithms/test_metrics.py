"""metrics.csv: stable columns, and rows that a resumed run replaces."""

from pathlib import Path

import pytest

from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.stopwatch import Stopwatch
from litgrid.errors import InputError


def test_columns_are_stable(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path, ["a", "b"])
    file.log_metrics({"b": 2.5}, step=10)
    file.log_metrics({"a": 1.0, "other": 3.0}, step=20)
    file.log_metrics({"other": 3.0}, step=30)
    text = (tmp_path / "metrics.csv").read_text(encoding="utf-8")
    assert text.splitlines() == ["frames,a,b", "10,,2.5", "20,1,"]


def test_a_resumed_run_replaces_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path, ["a"])
    for frames in (10, 20, 20, 30):
        first.log_metrics({"a": frames}, step=frames)
    with first.path.open("a", encoding="utf-8") as file:
        file.write("40")  # the process died
    second = MetricsFile(tmp_path, ["a"])
    second.cut(2)
    second.log_metrics({"a": -1.0}, step=20)
    assert second.rows == 3
    assert first.path.read_text(encoding="utf-8").splitlines() == ["frames,a", "10,10", "20,20", "20,-1"]


def test_rows_that_are_missing_are_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics.csv: found 0 rows, expected the 2 of the run's checkpoint"):
        MetricsFile(tmp_path, ["a"]).cut(2)


def test_shares_of_the_time_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 4.0, 5.0, 6.0, 10.0, 10.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    watch = Stopwatch()
    with watch.measure("collect"):
        pass
    with watch.measure("update"):
        pass
    rates = watch.read(frames=50, updates=20)
    assert (rates["time/collect"], rates["time/update"], rates["time/sample"]) == (0.3, 0.1, 0.0)
    assert (rates["time/frames_per_second"], rates["time/updates_per_second"]) == (5.0, 2.0)

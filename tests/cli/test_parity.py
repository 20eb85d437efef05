"""``bench parity``: a few cases, its figures, and a fault that it finds."""

import json

import pytest
import torch
from torch import Tensor

from litgrid.cli.main import main
from litgrid.cli.parity import BOUNDS
from litgrid.sim import chargers

pytest.importorskip("citylearn", reason="CityLearn installs on Python 3.11 alone")


def bench(*arguments: str) -> int:
    return main(["bench", "parity", *arguments])


def test_a_few_cases_are_equal(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--cases", "2", "--steps", "48", "--json", "-") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["cases"] == 2
    assert figures["passed"]
    assert figures["arrivals"] > 0
    assert figures["departures"] > 0
    assert set(figures["counts"]) <= {
        *("V2G", "curves", "dead-band", "standby loss and degradation", "constraints", "outage", "900 s steps"),
        "several buildings",
    }
    for mode, bound in BOUNDS.items():
        assert {"bess_soc", "vehicle_soc", "net_kwh", "cost", "co2_kg"} <= set(figures["worst"][mode])
        assert all(0 <= entry["error"] <= bound for entry in figures["worst"][mode].values())


def test_a_fault_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sound = chargers.efficiency

    def squared(charger_kw: Tensor, params: chargers.ChargerParameters) -> Tensor:
        return torch.square(sound(charger_kw, params)) * 0.99

    monkeypatch.setattr(chargers, "efficiency", squared)
    with pytest.raises(SystemExit, match="1"):
        bench("--cases", "1", "--steps", "48")
    assert "FAILED" in capsys.readouterr().out


def test_wrong_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--cases", "0") == 2
    assert capsys.readouterr().err == "litgrid: --cases: found 0, expected at least 1\n"

"""What scripts/dev.py decides, without an installation."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "dev.py"


def load_script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("litgrid_dev", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script on a project of its own in a temporary folder."""
    module = load_script()
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    # an environment's Python starts where the file exists
    monkeypatch.setattr(module, "version_of", lambda command: "3.12" if Path(command[0]).is_file() else None)
    return module


def make_venv(dev: ModuleType, *, stamped: bool = True) -> Path:
    """A folder that looks like an environment."""
    venv: Path = dev.VENV
    dev.venv_python(venv).parent.mkdir(parents=True)
    dev.venv_python(venv).touch()
    if stamped:
        (venv / dev.STAMP).write_text(f"3.12\n{venv}\n{dev.pins(dev.ROOT)}", encoding="utf-8")
    return venv


def state(dev: ModuleType) -> str:
    found: str = dev.state(dev.VENV, dev.pins(dev.ROOT))
    return found


def test_absent(dev: ModuleType) -> None:
    assert state(dev) == "absent"


def test_ready(dev: ModuleType) -> None:
    make_venv(dev)
    assert state(dev) == "ready"


def test_installation_that_did_not_end_is_half_made(dev: ModuleType) -> None:
    make_venv(dev, stamped=False)
    assert state(dev) == "half-made"


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_pins_are_outdated(dev: ModuleType, name: str) -> None:
    make_venv(dev)
    (dev.ROOT / name).write_text("changed", encoding="utf-8")
    assert state(dev) == "outdated"


def test_python_that_is_gone_is_broken(dev: ModuleType) -> None:
    dev.venv_python(make_venv(dev)).unlink()
    assert state(dev) == "broken"


def test_another_python_is_broken(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    make_venv(dev)
    monkeypatch.setattr(dev, "version_of", lambda _: "3.13")
    assert state(dev) == "broken"


def test_moved_folder_and_cut_stamp_are_broken(dev: ModuleType) -> None:
    venv = make_venv(dev)
    moved = venv.rename(venv.with_name("moved"))
    assert dev.state(moved, dev.pins(dev.ROOT)) == "broken"
    moved.rename(venv)
    (venv / dev.STAMP).write_text("", encoding="utf-8")
    assert state(dev) == "broken"


def ensure(dev: ModuleType, monkeypatch: pytest.MonkeyPatch, fail_at: int | None = None) -> list[list[str]]:
    """Run ``ensure`` with steps that are recorded instead of run, one of which may fail; returns the steps."""
    commands: list[list[str]] = []

    def step(_what: str, command: list[str], _lock: int) -> None:
        if len(commands) == fail_at:
            raise SystemExit(1)
        commands.append(command)
        if "venv" in command:
            make_venv(dev, stamped=False)

    monkeypatch.setattr(dev, "step", step)
    dev.ensure()
    return commands


def test_first_use_makes_and_installs_with_the_pins(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    create, install = ensure(dev, monkeypatch)
    assert create[-3:] == ["-m", "venv", str(dev.VENV)]
    assert install[0] == str(dev.venv_python(dev.VENV))
    assert install[-4:] == ["-e", ".[dev]", "-c", "constraints.txt"]
    assert state(dev) == "ready"
    assert ensure(dev, monkeypatch) == []  # the second use finds it


def test_failed_installation_is_made_anew(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        ensure(dev, monkeypatch, fail_at=1)
    assert state(dev) == "half-made"
    leftover = dev.VENV / "leftover"
    leftover.touch()
    assert len(ensure(dev, monkeypatch)) == 2
    assert not leftover.exists()


def test_changed_pins_are_installed_into_the_same_environment(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = make_venv(dev) / "kept"
    kept.touch()
    (dev.ROOT / "constraints.txt").write_text("changed", encoding="utf-8")
    with pytest.raises(SystemExit):  # an update that fails leaves no stamp
        ensure(dev, monkeypatch, fail_at=0)
    assert state(dev) == "half-made"
    (dev.VENV / dev.STAMP).write_text(f"3.12\n{dev.VENV}\nother", encoding="utf-8")
    assert len(ensure(dev, monkeypatch)) == 1
    assert kept.exists()


@pytest.mark.parametrize(("windows", "python"), [(False, "bin/python"), (True, "Scripts/python.exe")])
def test_command_lines(dev: ModuleType, monkeypatch: pytest.MonkeyPatch, windows: bool, python: str) -> None:
    monkeypatch.setattr(dev, "WINDOWS", windows)
    start = str(Path("v") / python)
    tests = [start, "-m", "pytest", *dev.SIDE_BY_SIDE, "-x", "a b"]
    assert dev.command_line(["test", "-x", "a b"], Path("v")) == tests
    assert dev.command_line(["fit", "--config", "c"], Path("v")) == [start, "-m", "src.cli", "fit", "--config", "c"]


@pytest.mark.parametrize(("windows", "command"), [(False, ["python3.12"]), (True, ["py", "-3.12"])])
def test_another_python_is_looked_for(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, windows: bool, command: list[str]
) -> None:
    monkeypatch.setattr(dev, "WINDOWS", windows)
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(dev, "version_of", lambda found: "3.12" if found == command else None)
    assert dev.base_python() == (command, "3.12")


def test_no_python_is_one_line_and_exit_code_2(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(dev, "version_of", lambda _: None)
    with pytest.raises(SystemExit) as exit_:
        dev.base_python()
    assert exit_.value.code == 2
    message = capsys.readouterr().err
    assert "3.9" in message
    assert message.count("\n") == 1


def test_version_of_runs_the_command() -> None:
    version_of = load_script().version_of
    assert version_of([sys.executable]) == "{}.{}".format(*sys.version_info[:2])
    assert version_of(["no-such-python"]) is None


def test_lock_keeps_a_second_holder_out(dev: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("a", encoding="utf-8") as second:
        with dev.locked(path):
            assert not dev.try_lock(second.fileno())
        assert dev.try_lock(second.fileno())


@pytest.mark.parametrize("options", [[], ["-h"], ["--help"]])
def test_help_names_both_uses_and_installs_nothing(options: list[str]) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "dev.py test [pytest options]" in done.stdout
    assert "python -m src.cli COMMAND" in done.stdout
    assert done.stderr == ""


def test_interrupted_installation_exits_with_130(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dev, "ensure", interrupted)
    with pytest.raises(SystemExit) as exit_:
        dev.main(["test"])
    assert exit_.value.code == 130

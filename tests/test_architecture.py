"""Imports run one way, and CityLearn stays behind one door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"

# A package may import itself, those before it, and litgrid.errors. A trained agent is a controller: hence algorithms
# stand after controllers.
ORDER = ("site", "scenarios", "sim", "controllers", "algorithms", "evaluation", "cli")


def imported(source: Path, src: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that a file imports, wherever in the file: also lazily, in functions.

    ``from package import name`` gives ``package.name``; relative imports are resolved; the constant argument of
    ``importlib.import_module`` counts.
    """
    package = source.relative_to(src).parent.parts
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = [*package[: len(package) - level + 1], *filter(None, [module])] if level else [module or ""]
                yield from ((node.lineno, ".".join([*base, alias.name])) for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def violations(src: Path) -> list[str]:
    """Every import in ``src/litgrid`` that breaks a rule, as "file:line imports name"."""
    found = []
    for source in sorted((src / "litgrid").rglob("*.py")):
        path = source.relative_to(src)
        layer = path.parts[1].removesuffix(".py")
        allowed = {"errors", *ORDER[: ORDER.index(layer) + 1]} if layer in ORDER else {"errors"}
        citylearn = layer == "sim" and path.name.startswith("citylearn")
        for line, name in imported(source, src):
            top, _, rest = name.partition(".")
            wrong_way = top == "litgrid" and rest.split(".")[0] not in allowed
            if wrong_way or (top == "citylearn" and not citylearn):
                found.append(f"{path.as_posix()}:{line} imports {name}")
    return found


def test_imports_run_one_way_and_citylearn_stays_in_the_simulator() -> None:
    assert violations(SRC) == []


def test_every_package_has_its_place_in_the_order() -> None:
    packages = {path.name for path in (SRC / "litgrid").iterdir() if any(path.glob("*.py"))}
    assert packages <= set(ORDER)


def test_src_is_no_package() -> None:
    assert not (SRC / "__init__.py").exists()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("site/x.py", "import litgrid.scenarios.store"),
        ("scenarios/x.py", "from litgrid.sim.env import SiteEnv"),
        ("scenarios/x.py", "from litgrid import sim"),
        ("scenarios/x.py", "from ..sim import env"),
        ("sim/x.py", "def f():\n    from litgrid.controllers import make"),
        ("sim/x.py", "import importlib\nimportlib.import_module('litgrid.evaluation.rollout')"),
        ("controllers/x.py", "from litgrid.algorithms.agent import AgentController"),
        ("controllers/x.py", "if TYPE_CHECKING:\n    import litgrid.evaluation.report"),
        ("evaluation/x.py", "import litgrid.cli.main"),
        ("errors.py", "import litgrid.site.site"),
        ("evaluation/x.py", "def f():\n    import citylearn"),
        ("scenarios/citylearn_folder.py", "from citylearn.citylearn import CityLearnEnv"),
    ],
)
def test_planted_violation_is_caught(tmp_path: Path, path: str, line: str) -> None:
    source = tmp_path / "litgrid" / path
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(line, encoding="utf-8")
    assert len(violations(tmp_path)) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("site/x.py", "from litgrid.errors import InputError"),
        ("scenarios/x.py", "from . import store\nfrom ..site import load"),
        ("sim/citylearn_env.py", "from citylearn.citylearn import CityLearnEnv"),
        ("sim/env.py", "def f():\n    from litgrid.sim import citylearn"),
        ("algorithms/agent.py", "from litgrid.controllers.controller import Controller"),
        ("cli/evaluate.py", "from litgrid.evaluation import report\nimport torch"),
    ],
)
def test_allowed_import_is_let_through(tmp_path: Path, path: str, line: str) -> None:
    source = tmp_path / "litgrid" / path
    source.parent.mkdir(parents=True)
    source.write_text(line, encoding="utf-8")
    assert violations(tmp_path) == []

"""Faults on purpose, for tests that have to notice them."""

from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

Plant = Callable[[ModuleType, str, str], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Plant:
    """A function (module, right, wrong) that changes a piece of the module's source, for the rest of the test.

    The piece has to be there once, so that a fault is never planted in vain.
    """

    def change(module: ModuleType, right: str, wrong: str) -> None:
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        assert source.count(right) == 1, f"{right!r} is {source.count(right)} times in {module.__name__}"
        broken = ModuleType(module.__name__)
        exec(compile(source.replace(right, wrong), str(module.__file__), "exec"), broken.__dict__)
        for name, value in vars(broken).items():
            if isinstance(value, FunctionType | type) and value.__module__ == module.__name__:
                monkeypatch.setattr(module, name, value)

    return change

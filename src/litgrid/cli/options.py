"""What the commands share: a parser whose errors are one line, and JSON output."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

from litgrid.algorithms.files import write_whole
from litgrid.errors import InputError


class Parser(ArgumentParser):
    """A parser that reports wrong input as an ``InputError`` of one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what argparse would print."""
        raise InputError(" ".join(message.split())) from ex


def check_json(path: str | None) -> None:
    """Refuse a ``--json`` that can't be written, before anything is computed."""
    if path is not None and not Path(path).parent.is_dir():  # the folder of "-" is the present one
        raise InputError(f"--json {path}: there is no folder {Path(path).parent}; expected an existing one")


def write_json(figures: dict[str, Any], path: str) -> None:
    """Write the figures of a command.

    Args:
        figures: what ``--json`` reports; a NaN in it is an error.
        path: of the file, or ``-`` for standard output.
    """
    text = json.dumps(figures, indent=2, allow_nan=False)
    if path == "-":
        sys.stdout.write(text + "\n")
        return
    check_json(path)
    write_whole(Path(path), (text + "\n").encode())

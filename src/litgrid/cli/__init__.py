"""The command line: ``python -m src.cli`` and the installed ``litgrid``."""

from litgrid.cli.main import main

__all__ = ["main"]

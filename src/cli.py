"""The command ``python -m src.cli``: the same program as the installed ``litgrid``."""

import sys

from litgrid.cli import main

if __name__ == "__main__":
    sys.exit(main())

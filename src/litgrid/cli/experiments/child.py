"""The process of a part: the program, as long as whoever started it is there.

    python -m litgrid.cli.experiments.child LOCK fit ...

Its standard input is a pipe that nobody writes to. When the other end is closed, also because its process was killed,
the part gets a SIGTERM: it saves its state and stops. This holds on every system, and needs no list of processes. The
lock says to a later call that the part is still there.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from filelock import FileLock

from litgrid.cli import main as litgrid


def main(argv: list[str]) -> int:
    """Run the program.

    Args:
        argv: path of the lock, then the command and its options.

    Returns:
        Its exit code.
    """
    if "LOCAL_RANK" in os.environ:  # a further process of the same training, which the first one started and stops
        return litgrid(argv[1:])
    with FileLock(argv[0]):
        threading.Thread(target=_stop_with_starter, daemon=True).start()
        return litgrid(argv[1:])


def _stop_with_starter() -> None:
    os.read(0, 1)  # sys.stdin has a lock of its own, which would be held at the end
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

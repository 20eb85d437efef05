"""Ctrl-C and SIGTERM as a wish to stop, which is granted between two batches."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Notes the first of the signals. A second Ctrl-C stops the process at once.

    Attributes:
        received: the signal, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def watch(self) -> None:
        """Take over the signals; only a main thread can."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}

    def release(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (Python's signature)
        if self.received is not None and number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if self.received is None:
            self.received = signal.Signals(number)
            os.write(2, b"\nStopping after this batch; Ctrl-C again stops at once.\n")  # print is not safe here

"""The exceptions that the command line turns into one line: the input is wrong, or a command had to stop."""

import math


class InputError(ValueError):
    """What the user gave is wrong.

    The message is one line that says what is wrong, where (file, row or key), what was found and what would be
    right. The command line prints it and exits with code 2; no other exception is turned into exit code 2.
    """


class MissingFile(InputError):
    """A file of data that the user's files name is not there; the message says where it is named, and its name."""


def require(holds: bool, key: str, found: object, expected: str) -> None:
    """Refuse a value of a site.

    Args:
        holds: what is expected of it.
        key: its dotted name.
        found: the value; infinity never is right.
        expected: what would be right.

    Raises:
        InputError: it does not hold.
    """
    if not holds or (isinstance(found, float) and math.isinf(found)):
        raise InputError(f"site, {key}: found {found}, expected {expected}")


class Stopped(Exception):
    """A command had to end before it was done: a signal, a full disk, a training that diverged.

    The message is one line that says why, and what is kept. The command line prints it and exits with the code.

    Args:
        message: the line.
        code: 1 where it failed, 128 plus the signal's number where it was asked to stop.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code

"""The one exception that means "the input is wrong"."""


class InputError(ValueError):
    """What the user gave is wrong.

    The message is one line that says what is wrong, where (file, row or key), what was found and what would be
    right. The command line prints it and exits with code 2; no other exception is turned into exit code 2.
    """

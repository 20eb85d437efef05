"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from litgrid.errors import Stopped

PART = ".part"  # what a file is called until it is whole


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line which file could not be written, and why.

    Raises:
        Stopped: the block raised an ``OSError``: the disk is full, say, or the folder may not be written to.
    """
    try:
        yield
    except OSError as error:
        raise Stopped(f"{path}: could not be written: {error.strerror or error}") from error


def write_whole(path: Path, content: bytes | memoryview) -> str:
    """Write a file under a temporary name, wait until the disk has it, and only then give it its name.

    Args:
        path: of the file; its folder is made if it is missing.
        content: all of it.

    Returns:
        The content's SHA-256, in hexadecimal digits.

    Raises:
        Stopped: it could not be written; what was there before is as it was.
    """
    part = path.with_name(path.name + PART)
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            flush_folder(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
    return hashlib.sha256(content).hexdigest()


def flush_folder(folder: Path) -> None:
    """Wait until the disk has a folder's list of names; Windows keeps it by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

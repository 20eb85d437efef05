"""What a checkpoint keeps beside its weights: its files, and whether they are whole.

A checkpoint that a run can go on from has an entry ``resume``, plain data: the number of processes, the rows of
metrics.csv, the seconds of training so far, and for each process a file with its state and the segments of its replay
buffer. These files were whole before the checkpoint was written, and their SHA-256 is in it: a good checkpoint is a
whole state.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from litgrid.algorithms.files import PART, sha256_of, write_whole
from litgrid.errors import InputError

BEST = "best.ckpt"
LAST = "last.ckpt"  # the newest of those below, under a second name
LASTS = "last-*.ckpt"  # last-<frames>.ckpt
RESUME = "resume"
SIDE_FOLDERS = ("state", "buffer")

Content = dict[str, Any]


class Damaged(Exception):
    """A checkpoint can't be gone on from; the message says why, without its name."""


def write(path: Path, content: Content) -> str:
    """Write tensors and plain data into a file, whole or not at all.

    Returns:
        The file's SHA-256.

    Raises:
        Stopped: it could not be written.
    """
    buffer = io.BytesIO()  # torch's own writer knows nothing of a disk that is full
    torch.save(content, buffer)
    return write_whole(path, buffer.getbuffer())


def read(path: Path) -> Content:
    """Read what ``write`` wrote; nothing but tensors and plain data is ever made of a file's bytes.

    Raises:
        Damaged: the file is missing, cut short, or something else.
    """
    if not path.is_file():
        raise Damaged(f"there is no file {path.name}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Damaged("it is cut short or no checkpoint") from error
    if not isinstance(content, dict):
        raise Damaged("it is no checkpoint")
    return content


def name_of(frames: int) -> str:
    """Return the name of the last checkpoint at a number of frames."""
    return f"last-{frames}.ckpt"


def frames_of(content: Content) -> int:
    """Return the number of frames at which a checkpoint was taken."""
    return int(content["litgrid"]["frames"])


def side_files(entry: Content) -> Iterator[dict[str, Any]]:
    """Yield ``path`` (relative to the checkpoint's folder) and ``sha256`` of the files that belong to a state."""
    for rank in entry["ranks"]:
        yield rank["state"]
        yield from rank["segments"]


def read_whole(path: Path) -> Content:
    """Read a checkpoint that a run can go on from, and check the files that belong to it.

    Raises:
        Damaged: the checkpoint or one of its files is not what was written, or it has no more than weights.
    """
    content = read(path)
    if RESUME not in content:
        raise Damaged("it has weights, and not the state that a run goes on from")
    try:
        frames_of(content)
        files = list(side_files(content[RESUME]))
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("it is no checkpoint of a run") from error
    for file in files:
        beside = path.parent / file["path"]
        if not beside.is_file():
            raise Damaged(f"its file {file['path']} is missing")
        if sha256_of(beside) != file["sha256"]:
            raise Damaged(f"its file {file['path']} is not what was written")
    return content


def newest(folder: Path, report: Callable[[str], None]) -> Path:
    """Find the newest good checkpoint, by the frames that it says it holds; names and time stamps say nothing.

    Args:
        folder: of the checkpoints.
        report: gets a line for each damaged one.

    Raises:
        InputError: there is none.
    """
    found: list[tuple[int, Path]] = []
    for path in {path.stat().st_ino or path.name: path for path in folder.glob("last*.ckpt")}.values():
        try:
            found.append((frames_of(read_whole(path)), path))
        except Damaged as damage:
            report(f"{path}: passed over: {damage}")
    if not found:
        raise InputError(f"ckpt_path: found no good checkpoint in {folder}, expected {LASTS}")
    return max(found)[1]


def tidy(folder: Path, kept: Iterable[Content]) -> None:
    """Remove the files that belong to none of these entries ``resume``, and what was left half-written."""
    named = {file["path"] for entry in kept for file in side_files(entry)}
    for side in SIDE_FOLDERS:
        for path in [path for path in (folder / side).rglob("*") if path.is_file()]:
            if path.relative_to(folder).as_posix() not in named:
                path.unlink()
    for path in folder.glob(f"*{PART}"):
        path.unlink()

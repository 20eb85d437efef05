"""What the commands say on standard error: warnings, and jsonargparse's errors without what helps nobody."""

from __future__ import annotations

import re
import sys

from litgrid.algorithms.sources import Source

NOISE = (
    r"Does not validate against any of the Union subtypes",
    r"Subtypes: .*",
    r"Errors:",
    r"Given value.*",
    r"(- )?Expected a <class 'NoneType'>",
    r"(- )?Expected a path but .* either not accessible or invalid",
    r"Subclass types expect one of:",
    r"Problem with given class_path '[^']*(CityLearnData|Recipe|Search|Setting)':",
    r"- a (class path|dict) .*",
)


def one_line(message: str) -> str:
    """Shorten a message of jsonargparse.

    Args:
        message: as jsonargparse words it, over several lines.

    Returns:
        The key and what is wrong with it.
    """
    if "--> trainer.max_epochs" in message:
        return "trainer.max_epochs: it follows from model.budget (total_frames / frames_per_epoch); set those instead"
    text = re.sub(r'Parser key "([^"]+)":', r"\1:", message)
    lines = [re.sub("|".join(NOISE), "", line.strip()).removeprefix("- ") for line in text.splitlines()]
    return " ".join(re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", line) for line in lines if line)


def warn(source: Source) -> None:
    """Print the warnings of a source of scenarios."""
    for warning in source.warnings:
        print(f"warning: {warning}", file=sys.stderr)

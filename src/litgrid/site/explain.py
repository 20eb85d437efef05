"""What is wrong with a site's file, in one line: the key, what was found, what was expected."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from litgrid.errors import InputError

NO_FILE = ": found no file "
TYPES = {"<class 'float'>": "a number", "<class 'int'>": "a whole number", "<class 'str'>": "a text"}


def check_yaml(path: Path, what: str = "a site", such_as: str = "location") -> None:
    """Check that a file holds YAML keys, before they are looked at.

    Args:
        path: the file.
        what: the file describes.
        such_as: one of its keys.

    Raises:
        InputError: the file is missing, can't be read, or holds something else.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: found {error.strerror}, expected {what}'s file (YAML)") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: found YAML that can't be read: {error.problem}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: found {_joined(str(error))}, expected text in UTF-8 (YAML)") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: found {content!r:.40}, expected the keys of {what}, such as {such_as}")


def explain(message: str, kind: type) -> str:
    """Put a message of jsonargparse about a class's arguments in one line.

    Args:
        message: as jsonargparse words it, over several lines.
        kind: the dataclass whose arguments they are, parsed under the name ``site``.

    Returns:
        "key: found ..., expected ...", or the message as it is, in one line, where it is of no known form.
    """
    nested = (
        ".".join(re.findall(r'Parser key "([^"]+)":', message)).removeprefix("site").strip(".").replace("site.", "")
    )

    def key(name: str) -> str:
        return f"{nested}.{name}".strip(".").removeprefix("site.")

    if match := re.search(r"(?:accept option|Option) '([^']+)'", message):
        return _unknown(kind, key(match[1]))
    if match := re.search(r"arguments are required: (.+)", message):
        missing = ", ".join(key(name) for name in match[1].split(", "))
        return f"{missing}: found nothing, expected a value"
    if match := re.search(r"Expected an? (.+?)\. Got value: (.+)", message):
        return f"{nested}: found {match[2]}, expected {_kind(match[1])}"
    if match := re.search(r"File does not exist: '([^']+)'", message):
        return f"{nested}{NO_FILE}{match[1]}, expected one that can be read"
    return _joined(message)


def _joined(text: str) -> str:
    return " ".join(text.split())


def _kind(text: str) -> str:
    if literal := re.fullmatch(r"typing\.Literal\[(.+)\]", text):
        return f"one of {literal[1]}"
    return TYPES.get(text, f"a {text}")


def _unknown(kind: type, name: str, before: str = "") -> str:
    """Say which part of a dotted name is no key, and the keys that stand there."""
    part, _, rest = name.partition(".")
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    if part in names and rest:
        return _unknown(_dataclass(get_type_hints(kind)[part]), rest, f"{before}{part}.")
    return f"{before}{part}: found an unknown key, expected one of {', '.join(names)}"


def _dataclass(hint: Any) -> Any:
    """The dataclass in a type such as ``list[SocketGroup]`` or ``LoadFile | None``."""
    return hint if dataclasses.is_dataclass(hint) else next(filter(dataclasses.is_dataclass, get_args(hint)))

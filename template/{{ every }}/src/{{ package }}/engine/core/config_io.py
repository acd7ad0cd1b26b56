"""Configurations as JSON, how two of them differ, and fingerprints of what they stand for."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from .errors import Problem

T = TypeVar("T")


def to_json(config: Any) -> str:
    """A configuration dataclass as indented JSON."""
    return json.dumps(dataclasses.asdict(config), indent=2)


def from_json(kind: type[T], text: str) -> T:
    """The configuration of type `kind` that `to_json` wrote.

    Raises:
        Problem: the text is not JSON, or its fields are not those of `kind`.
    """
    try:
        return _build(kind, json.loads(text))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(f"the saved configuration does not fit this version of the code: {error}") from error


def _build(kind: type[T], values: dict[str, Any]) -> T:
    hints: dict[str, Any] = get_type_hints(kind)
    fields: dict[str, Any] = {}
    for name, value in values.items():
        hint = _dataclass_of(hints.get(name), value)
        if hint is not None:
            fields[name] = _build(hint, value)
        elif dataclasses.is_dataclass(hints.get(name)):
            raise TypeError(f"{name} is {value}")
        else:
            fields[name] = tuple(value) if isinstance(value, list) else value
    return kind(**fields)


def _dataclass_of(hint: Any, value: Any) -> Any:
    """The dataclass that wrote a value, if one did: of several, the one whose first field is as it is there."""
    kinds = [kind for kind in get_args(hint) or (hint,) if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    if not isinstance(value, dict) or not kinds:
        return None
    if len(kinds) == 1:
        return kinds[0]
    for kind in kinds:
        first = dataclasses.fields(kind)[0]
        if value.get(first.name) == first.default:
            return kind
    raise TypeError(f"{value} is none of {', '.join(kind.__name__ for kind in kinds)}")


def differences(old: Any, new: Any) -> list[str]:
    """The fields in which two configurations differ, as `train.steps: 100, not 200`."""
    lines = []
    for field in dataclasses.fields(old):
        a, b = getattr(old, field.name), getattr(new, field.name)
        if dataclasses.is_dataclass(a) and type(a) is type(b):
            lines += [f"{field.name}.{line}" for line in differences(a, b)]
        elif a != b:
            lines.append(f"{field.name}: {a}, not {b}")
    return lines


def refuse_changes(old: Any, new: Any, but: tuple[str, ...] = ()) -> None:
    """A resumed run keeps the configuration that it was started with, `but` for these fields.

    Raises:
        Problem: another field differs.
    """
    changed = [line for line in differences(old, new) if line.partition(":")[0] not in but]
    if changed:
        told = "; ".join(changed)
        raise Problem(f"a resumed run keeps its configuration ({told}): leave the option out, or start a new run")


def fingerprint(text: str | bytes | Path) -> str:
    """SHA-256, as hexadecimal, of a text, of bytes, or of what a file holds."""
    if isinstance(text, Path):
        with text.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()

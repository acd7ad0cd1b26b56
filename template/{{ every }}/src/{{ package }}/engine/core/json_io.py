"""JSON as every reader takes it: an object where one is expected, and null where a number is not finite."""

import json
import math
from pathlib import Path
from typing import Any

from .errors import Problem


def read_json(file: Path, *keys: str, remedy: str = "restore it") -> dict[str, Any]:
    """The object that a file holds; it has these keys.

    Raises:
        Problem: the file is missing, or holds something else.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error.strerror}): {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise Problem(f"{file} is not JSON ({error}): {remedy}") from None
    missing = [key for key in keys if key not in found] if isinstance(found, dict) else ["object"]
    if missing:
        raise Problem(f"{file} holds no {missing[0]}: {remedy}")
    return dict(found)


def to_json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON. JSON has no NaN and no infinity, and few readers take Python's words for them."""
    return json.dumps(finite(value), indent=indent, allow_nan=False)


def finite(value: Any) -> Any:
    """The same with null where a number is not finite."""
    if isinstance(value, dict):
        return {str(name): finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

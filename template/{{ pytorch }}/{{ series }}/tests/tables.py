"""Tables as people have them, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def lay(name: str, *lines: str, encoding: str = "utf-8") -> str:
    """Write a file with these lines, and return its name."""
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return name


def hourly(count: int = 72, start: str = "2024-01-01", freq: str = "h", zone: str | None = None) -> pd.DataFrame:
    """A frame with a column of time and a load that repeats each day."""
    time = pd.date_range(start, periods=count, freq=freq, tz=zone)
    return pd.DataFrame({"time": time, "load": np.sin(np.arange(count) * np.pi / 12) + np.arange(count) / 100})


def sales() -> pd.DataFrame:
    """Two shops of unequal length: days, with a holiday that is known, the weather that is not, and where they are."""
    days = pd.date_range("2023-01-01", periods=40)
    rows = [
        {
            "day": day,
            "shop": shop,
            "sold": float(number % 7 + 10 * (shop == "B")),
            "holiday": "yes" if number == 5 else "no",
            "rain": float(number % 3),
            "region": "south" if shop == "A" else "north",
            "area": 120.0 if shop == "A" else 80.0,
        }
        for shop, count in (("B", 30), ("A", 40))
        for number, day in enumerate(days[:count])
    ]
    return pd.DataFrame(rows)


ROLES: dict[str, Any] = {
    "id": "shop",
    "targets": ("sold",),
    "known": ("holiday",),
    "observed": ("rain",),
    "static": ("region", "area"),
}
"""What the columns of `sales` are."""

"""Tables as people have them, for tests."""

from pathlib import Path

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

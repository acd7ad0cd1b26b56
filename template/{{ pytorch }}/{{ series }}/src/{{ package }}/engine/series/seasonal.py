"""Daily sales of eight shops that do not exist: made here, for want of a real table that needs no download.

    sales = size x trend x day of the week x time of the year x holiday x promotion x weather x chance

They have what real tables have: several series of unequal length, two seasons, a trend, holidays and promotions that
are known beforehand, weather that is known up to now only, days that are missing. Sales are whole numbers, and
covariates have three decimals, so that the last bits of a mathematical library do not show. They are no evidence about
any shop.
"""

import numpy as np

from .table import Names, Table

SHOPS = 8
FIRST, DAYS = np.datetime64("2021-01-01"), 1461
WEEK = np.array([0.85, 0.8, 0.85, 0.95, 1.2, 1.45, 0.9])
"""Monday to Sunday, and otherwise in each shop by a tenth or so."""
HOLIDAYS = ("01-01", "05-01", "12-24", "12-25", "12-26")
NAMES = Names(
    targets=("sales",),
    known=("holiday", "eve", "promotion", "week sin", "week cos", "year sin", "year cos"),
    observed=("temperature",),
    static=("area",),
)


def table() -> Table:
    """The shops, one after the other."""
    chance = np.random.default_rng(2021)
    dates = FIRST + np.arange(DAYS)
    temperature = weather(chance)
    shops = [shop(chance, dates, temperature) for _ in range(SHOPS)]
    opened = [0, *sorted(chance.integers(0, 400, SHOPS - 1).tolist())]
    rows = [np.arange(start, DAYS) for start in opened]
    known = [np.column_stack([calendar(dates), promotion])[:, [0, 1, 6, 2, 3, 4, 5]] for _, promotion, _ in shops]
    return Table(
        ids=tuple(f"shop {number + 1}" for number in range(SHOPS)),
        offsets=np.concatenate(([0], np.cumsum([len(of) for of in rows]))),
        time=np.concatenate([dates[of].astype("datetime64[ns]").astype(np.int64) for of in rows]),
        targets=joined([sales for sales, _, _ in shops], rows),
        known=joined(known, rows),
        observed=joined([temperature] * SHOPS, rows),
        static=np.array([[area] for _, _, area in shops]).round(3).astype(np.float32),
        names=NAMES,
        frequency="1 day",
        season=7,
    )


def joined(of_shops: list[np.ndarray], rows: list[np.ndarray]) -> np.ndarray:
    """The rows of each shop one below the other, (N, ·) float32 with three decimals."""
    parts = [values[of].reshape(len(of), -1) for values, of in zip(of_shops, rows, strict=True)]
    return np.concatenate(parts).round(3).astype(np.float32)


def shop(
    chance: np.random.Generator, dates: np.ndarray, temperature: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Sales, (days,) with NaN where they are missing; whether there is a promotion; the area."""
    size = float(np.exp(chance.normal(5, 0.6)))
    week = WEEK * chance.normal(1, 0.1, 7)
    day, year = np.arange(len(dates)), 2 * np.pi * np.arange(len(dates)) / 365.25
    trend = np.exp(chance.normal(0.05, 0.15) * day / 365 + np.cumsum(chance.normal(0, 0.004, len(dates))))
    season = np.exp(chance.normal(0.2, 0.05) * np.cos(year - chance.normal(5.8, 0.3)))
    promotion = np.zeros(len(dates))
    for start in chance.integers(0, len(dates), 40):
        promotion[start : start + 5] = 1.0
    features = calendar(dates)
    special = np.where(features[:, 0] > 0, 0.35, np.where(features[:, 1] > 0, 1.5, 1.0))
    known = size * trend * season * week[weekday(dates)] * special * np.where(promotion > 0, 1.3, 1.0)
    mean = known * np.exp(chance.normal(-0.01, 0.003) * (temperature - temperature.mean()))
    sales = chance.poisson(mean * chance.gamma(100, 0.01, len(dates))).astype(np.float64)
    for start in chance.integers(0, len(dates), 3):
        sales[start : start + chance.integers(1, 8)] = np.nan
    return sales, promotion, float(np.log(size) + chance.normal(0, 0.2))


def weather(chance: np.random.Generator) -> np.ndarray:
    """Temperatures, (days,): a year's course, and deviations that last some days."""
    deviation = np.zeros(DAYS)
    for day in range(1, DAYS):
        deviation[day] = 0.8 * deviation[day - 1] + chance.normal(0, 2)
    return (11 - 9 * np.cos(2 * np.pi * np.arange(DAYS) / 365.25) + deviation).round(3)


def calendar(dates: np.ndarray) -> np.ndarray:
    """Holiday, eve of one, and sine and cosine of the week and of the year, (days, 6)."""
    days = np.array([str(date)[5:] for date in dates])
    holiday = np.isin(days, HOLIDAYS)
    eve = np.append(holiday[1:], False) & ~holiday
    week = 2 * np.pi * weekday(dates) / 7
    year = 2 * np.pi * (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) / 365.25
    return np.column_stack([holiday, eve, np.sin(week), np.cos(week), np.sin(year), np.cos(year)])


def weekday(dates: np.ndarray) -> np.ndarray:
    """0 is Monday."""
    days: np.ndarray = (dates.astype("datetime64[D]").astype(int) + 3) % 7
    return days
